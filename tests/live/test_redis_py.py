"""redis-py on the hosts: the oldest supported version, one too old, none; and its installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from access import with_passwords
from deployment import MASTER, ROOT, RUN_MODULE, Deployment

OLDEST, TOO_OLD = "4.3.4", "3.5.3"  # of Debian 12 and of Debian 11

pytestmark = pytest.mark.extended

VERSION = "6.2.14"


def packages(version: str) -> Path:
    """Return a folder with this version of redis-py, installed by pip."""
    folder = ROOT / ".cache" / "redis-py" / version
    if not (folder / "redis").exists():
        partial = folder.with_name(f"{version}.partial")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", partial, f"redis=={version}"], check=True)
        partial.rename(folder)
    return folder


def run(name: str, version: str, **arguments: Any) -> dict[str, Any]:
    """Run a module with a version of redis-py that precedes the version of the environment."""
    path = os.pathsep.join([str(packages(version)), str(ROOT / ".cache" / "collections")])
    done = subprocess.run(
        [sys.executable, "-c", RUN_MODULE, name],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def secured(build: Callable[..., Deployment]) -> Deployment:
    return build(VERSION, access=with_passwords())


def reaching(deployment: Deployment, name: str) -> dict[str, Any]:
    login = deployment.access.sentinels if name in deployment.sentinels else deployment.access.nodes
    return {"login_port": deployment.ports[name], "login_password": login["password"]}


def test_the_modules_work_with_the_oldest(secured: Deployment) -> None:
    journal = str(secured.folder / "journal.json")
    node, sentinel = reaching(secured, "redis-2"), reaching(secured, "sentinel-1")
    results = {
        "survey": run("redis_survey", OLDEST, **node, kind="redis", journal=journal),
        "survey of a Sentinel": run("redis_survey", OLDEST, **sentinel, kind="sentinel", journal=journal),
        "topology": run("redis_sentinel_info", OLDEST, **sentinel, master_name=MASTER),
        "check": run("redis_info_check", OLDEST, **node, role="replica", link_up=True),
        "set": run("redis_config_set", OLDEST, **node, settings={"maxmemory": "100mb"}),
        "rewrite": run("redis_config_rewrite", OLDEST, **node),
        "handover": run("redis_sentinel_failover", OLDEST, **secured.handover_options("redis-2")),
        "audit": run("redis_write_audit", OLDEST, **secured.reach(), master_name=MASTER, duration_s=1),
        "stop": run("redis_instance", OLDEST, **reaching(secured, "redis-3"), state="stopped"),
    }
    assert {what: result.get("msg") for what, result in results.items() if result.get("failed")} == {}
    assert results["survey"]["instance"]["version"] == VERSION
    assert results["handover"]["new_master"] == secured.address("redis-2")
    assert (results["audit"]["lost"], results["audit"]["acknowledged"] > 0) == (0, True)


@pytest.mark.parametrize("name", ["redis_info_check", "redis_write_audit"])
def test_one_that_is_too_old_is_told(name: str) -> None:
    result = run(name, TOO_OLD, **({"master_name": MASTER, "duration_s": 1} if name == "redis_write_audit" else {}))
    assert result["failed"]
    assert f"the Python package redis is version {TOO_OLD}, and 4.3 is the oldest supported version, for {sys.executable}" in result["msg"]
    for advice in ("Nothing was touched", "python3-redis", "-m pip install 'redis>=4.3'", "tasks_from: requirements"):
        assert advice in result["msg"]


# -- the role's entry point

# A package manager that offers a version of redis-py to the Python that runs it.
PACKAGE_MANAGER = """
import site
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({{"name": {{"type": "str"}}, "state": {{"type": "str"}}}}, supports_check_mode=True)
if not module.check_mode:
    with open(site.getsitepackages()[0] + "/" + module.params["name"] + ".pth", "w") as file:
        file.write({folder!r})
module.exit_json(changed=True)
"""


class Host:
    """A separate Python, at first without redis-py, and the documented play on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "python"], check=True)
        self.python = folder / "python" / "bin" / "python"
        page = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
        block = page.split("```yaml\n# play: requirements\n", 1)[1].split("```", 1)[0]
        (folder / "play.yml").write_text(block.replace("redis:sentinel", "all"), encoding="utf-8")
        (folder / "library").mkdir()

    def play(self, offered: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        (self.folder / "library" / "shop.py").write_text(PACKAGE_MANAGER.format(folder=str(packages(offered))), encoding="utf-8")
        settings = {"ansible_python_interpreter": str(self.python), "ansible_package_use": "ansible.legacy.shop", **variables}
        words = ["ansible-playbook", "-i", "host,", "-c", "local", "-M", str(self.folder / "library"), str(self.folder / "play.yml")]
        return subprocess.run([*words, "-e", json.dumps(settings), *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_without_leave_to_install_it_says_what_to_do(host: Host) -> None:
    done = host.play(OLDEST, redis_upgrade_install_redis_py=False)
    output = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert f"{host.python}, the Python that Ansible uses on this host, has no redis-py, and 4.3 or newer is needed. No server was" in output
    assert "set redis_upgrade_install_redis_py to true for the package python3-redis" in output
    assert f"{host.python} -m pip install 'redis>=4.3'" in output


def test_it_is_installed_once(host: Host) -> None:
    checked = host.play(OLDEST, "--check")
    assert (checked.returncode, "changed=1" in checked.stdout) == (0, True)
    first, second = host.play(OLDEST), host.play(OLDEST)
    assert f"This host has redis-py {OLDEST}." in first.stdout
    assert (first.returncode, second.returncode) == (0, 0)
    assert ("changed=1" in first.stdout, "changed=1" in second.stdout) == (True, False)


def test_a_package_that_is_too_old_is_told(host: Host) -> None:
    done = host.play(TOO_OLD)
    output = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert f"has redis-py {TOO_OLD}, and 4.3 or newer is needed" in output
    assert "(which has been installed, but is too old or for another Python)" in output
