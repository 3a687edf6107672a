"""Lines of included files that a rewrite would not keep: found first, and gone with the remedy."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from preflights import Circumstances, preflight, untouched
from states import answers, settled, wait_until

from playbooks import run, words

pytestmark = pytest.mark.extended

VERSION = "7.0.15"
WANTED = "valkey-8.0.1"
MODULE = """
typedef int (*get_api)(const char *, void **);
int RedisModule_OnLoad(void *context) {
    int (*name_it)(void *, const char *, int, int);
    (*(get_api *)context)("RedisModule_SetModuleAttribs", (void **)&name_it);
    name_it(context, "tiny", 1, 1);
    return 0;
}
"""
POINTS = "save 3600 1\nsave 300 100\n"  # above the include, where all versions keep both
USER = "user {name} on >secret-of-a-user ~* &* +@read\n"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a module that does nothing."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "tiny.c").write_text(MODULE, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "tiny.so", folder / "tiny.c"], check=True)
    return folder / "tiny.so"


@dataclass(frozen=True)
class Case:
    """The first lines of the main file, the included lines, and what is set at run time.

    ``seen`` is in the finding, ``{folder}`` in it and in lines is the instance's; "" if there is no
    finding. ``cured``: whether moving the included lines to the end of the file is the remedy.
    """

    name: str
    included: str
    seen: str
    above: str = POINTS
    instance: str = "redis-3"
    set: tuple[str, ...] = ()
    severity: str = "refusal"
    cured: bool = True
    start_folder: str = ""

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("a user", USER.format(name="reader"), "common.conf, line 1 (user)"),
    Case("the user default", "timeout 0\nuser default on nopass ~* &* +@all\n", "common.conf, line 2 (user)"),
    Case("a module", "loadmodule {module}\n", "common.conf, line 1 (loadmodule)"),
    Case("a user in a nested file", "include {folder}/nested.conf\n", "nested.conf, line 1 (user)", cured=False),
    Case("a Sentinel's user", USER.format(name="reader"), "common.conf, line 1 (user)", instance="sentinel-2", above=""),
    Case(
        "a Sentinel's names of commands",
        "sentinel rename-command mymaster SCRIPT SCRIPT\n",
        "common.conf, line 1 (sentinel rename-command)",
        instance="sentinel-2",
        above="",
        cured=False,  # the Sentinel has written the line already
    ),
    Case("save points below", "timeout 0\n", "above its lines of 3 save points", above="", cured=False),
    Case("a value set in vain", "timeout 11\n", "common.conf, line 1 (timeout)", above=POINTS + "timeout 5\n", set=("timeout", "20")),
    Case("a value that may be lost", "timeout 11\n", "common.conf, line 1 (timeout)", set=("timeout", "0"), severity="warning"),
    Case(
        "a relative name", "", "includes rel.conf, which is not in", above=POINTS + "include rel.conf\n", start_folder="start", cured=False
    ),
    Case("harmless lines", 'rename-command KEYS ""\nclient-output-buffer-limit pubsub 64mb 16mb 90\ntimeout 7\nmaxmemory 1gb\n', ""),
]


@contextlib.contextmanager
def including(deployment: Deployment, case: Case, module: Path) -> Iterator[Callable[[], None]]:
    """Restart an instance with an included file; yield a function that applies the remedy."""
    file = deployment.config(case.instance)
    before, folder = file.read_text(encoding="utf-8"), file.parent.parent
    lines = case.included.format(folder=folder, module=module)
    (folder / "common.conf").write_text(lines, encoding="utf-8")
    (folder / "nested.conf").write_text(USER.format(name="nested"), encoding="utf-8")
    deployment.stop(case.instance)
    file.write_text(f"{case.above}{before}include {folder}/common.conf\n", encoding="utf-8")
    here = os.getcwd()
    if case.start_folder:
        (folder / case.start_folder).mkdir(exist_ok=True)
        (folder / case.start_folder / "rel.conf").write_text("timeout 0\n", encoding="utf-8")
        os.chdir(folder / case.start_folder)
    try:
        deployment.start(case.instance)
    finally:
        os.chdir(here)
    wait_until(lambda: answers(deployment, case.instance), 30)
    if case.set:
        deployment.command(case.instance, "CONFIG", "SET", *case.set)

    def cure() -> None:
        (folder / "common.conf").write_text("", encoding="utf-8")
        file.write_text(file.read_text(encoding="utf-8") + lines, encoding="utf-8")

    try:
        yield cure
    finally:
        deployment.stop(case.instance)
        file.write_text(before, encoding="utf-8")
        deployment.start(case.instance)
        wait_until(lambda: settled(deployment), 60)


def found(deployment: Deployment) -> list[dict[str, Any]]:
    return [one for one in preflight(deployment, Circumstances())["findings"] if one["check"] == "included"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found_before_anything_is_touched(deployment: Deployment, module: Path, case: Case) -> None:
    with including(deployment, case, module) as cure:
        wait_until(lambda: settled(deployment), 60)
        before = untouched(deployment)
        seen = found(deployment)
        assert untouched(deployment) == before
        assert [(one["node"], one["severity"]) for one in seen] == [(case.instance, case.severity)] * bool(case.seen)
        assert all(case.seen in one["seen"] and one["why"] and one["do"] for one in seen), seen
        assert "secret-of-a-user" not in str(seen)
        if case.cured:
            cure()
            assert found(deployment) == []


def test_with_the_remedy_the_upgrade_goes_through(build: Callable[..., Deployment], module: Path) -> None:
    """Users and modules are in the main file, save points above the include: all keep them."""
    deployment = build(VERSION)
    for name in deployment.nodes:
        file = deployment.config(name)
        (file.parent.parent / "common.conf").write_text("timeout 7\nmaxmemory 1gb\n", encoding="utf-8")
        deployment.stop(name)
        own = USER.format(name="reader") + f"loadmodule {module}\n{POINTS}include {file.parent.parent}/common.conf\n"
        file.write_text(file.read_text(encoding="utf-8") + own, encoding="utf-8")
        deployment.start(name)
        wait_until(lambda name=name: answers(deployment, name), 30)  # type: ignore[misc]
    wait_until(lambda: settled(deployment), 90)
    before = {name: state(deployment, name) for name in deployment.nodes}
    done = run(deployment, "upgrade", wanted=WANTED, redis_upgrade_accept_no_way_back=True)
    assert done.returncode == 0, words(done.stdout)[-3000:]
    assert {name: state(deployment, name) for name in deployment.nodes} == before


def state(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return users, settings and modules; 8.0 names a default that 7.0 leaves out."""
    users = [line.replace(" sanitize-payload", "") for line in deployment.command(name, "ACL", "LIST")]
    values = {what: deployment.command(name, "CONFIG", "GET", what)[1] for what in ("save", "timeout", "maxmemory")}
    return {"users": users, "modules": "tiny" in str(deployment.command(name, "MODULE", "LIST")), **values}
