"""A rewritten configuration that a version refuses is put back, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from deployment import SERVERS, Deployment, run_module, server_in
from states import answers, settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "7.0.15"
USER = "user reader on nopass ~* &* +@read\n"
CASES = [
    # what is included, the new version, the running one, and who refuses
    (USER, "valkey-8.0.1", VERSION, "the new server"),
    ("user default on nopass ~* &* +@all\n", VERSION, VERSION, "the new server"),
    ("timeout 0\n", "6.2.14", VERSION, "the new server"),  # 6.2 does not know what 7.0 writes
    ("timeout 0\n", VERSION, "6.2.14", "the running version's server"),
    ("timeout 0\n", "valkey-8.0.1", VERSION, ""),
]


def rewrite(deployment: Deployment, name: str, new: str, running: str) -> dict[str, Any]:
    trial = {"executable": str(server_in(SERVERS / new)), "config_file": str(deployment.config(name))}
    return run_module(
        "redis_config_rewrite", login_port=deployment.ports[name], trial=trial, running_executable=str(server_in(SERVERS / running))
    )


def started(deployment: Deployment, name: str) -> None:
    """Start a node; wait until it answers, and the Sentinels see it again."""
    deployment.start(name)
    wait_until(lambda: answers(deployment, name), 30)
    deployment.wait_until_known()


@pytest.mark.parametrize(("included", "new", "running", "who"), CASES)
def test_a_refused_file_is_as_before(deployment: Deployment, included: str, new: str, running: str, who: str) -> None:
    name, file = "redis-3", deployment.config("redis-3")
    before = file.read_bytes()
    deployment.stop(name)
    (file.parent.parent / "common.conf").write_text(included, encoding="utf-8")
    file.write_bytes(before + f"# caf\u00e9 \n\ninclude {file.parent.parent}/common.conf\n".encode("latin-1"))
    file.chmod(0o640)
    started(deployment, name)
    written, mode, pid = file.read_bytes(), file.stat().st_mode, deployment.processes[name].pid
    deployment.command(name, "CONFIG", "SET", "hz", "20")
    done = rewrite(deployment, name, new, running)
    assert bool(done.get("failed")) is bool(who)
    if who:
        assert who in done["msg"], done
        assert "the running server was not touched, and its configuration file is as before" in done["msg"]
        assert (file.read_bytes(), file.stat().st_mode) == (written, mode)
        deployment.stop(name)  # and it can be started again
        started(deployment, name)
    else:
        assert (done["tried"], b"hz 20" in file.read_bytes(), deployment.info(name)["process_id"]) == (True, True, str(pid))
    deployment.stop(name)
    file.write_bytes(before)
    started(deployment, name)


def test_a_run_puts_back_what_the_new_version_refuses(build: Callable[..., Deployment]) -> None:
    """7.0 has no gopher-enabled, which is only in the memory, where no preflight looks for it."""
    deployment = build("6.2.14")
    spoilt = ("redis-2", "redis-3")
    for name in spoilt:
        deployment.command(name, "CONFIG", "SET", "gopher-enabled", "yes")
    before, pids = {name: deployment.config(name).read_bytes() for name in spoilt}, deployment.pids()
    done = run(deployment, "upgrade", wanted="7.0.15", redis_upgrade_accept_no_way_back=True)
    output = words(done.stdout)
    assert done.returncode != 0
    for name in spoilt:
        assert f"{deployment.config(name)}, line" in output
        assert f"fatal: [{name}]" in output
    assert output.count("and its configuration file is as before") >= len(spoilt)
    assert ({name: deployment.config(name).read_bytes() for name in spoilt}, deployment.pids()) == (before, pids)
    for name in spoilt:
        deployment.stop(name)
        deployment.start(name)
    wait_until(lambda: settled(deployment), 60)
    deployment.before = {}  # the setting that is gone now
    done = run(deployment, "upgrade", wanted="7.0.15", redis_upgrade_accept_no_way_back=True)
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert set(deployment.versions().values()) == {"7.0.15"}
