"""Commands that a run needs and a server does not know: found before anything is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest
from deployment import Deployment
from preflights import Circumstances, preflight
from states import settled, wait_until

from playbooks import reach, run, words

pytestmark = pytest.mark.extended

VERSION = "7.0.15"

# The instances, the commands that they rename, and the new name; "" disables a command.
CASES = [
    (["redis-3"], ["SHUTDOWN"], ""),
    (["redis-3"], ["REPLICAOF"], "hidden"),
    (["redis-2"], ["SLAVEOF"], ""),
    (["redis-2"], ["CLIENT"], "hidden"),
    (["redis-3"], ["CONFIG"], "hidden"),
    (["redis-2"], ["INFO"], ""),
    (["redis-3"], ["MULTI"], "hidden"),
    (["redis-2", "redis-3"], ["EXEC", "CONFIG", "SHUTDOWN"], "hidden"),
    (["sentinel-2"], ["SHUTDOWN"], "hidden"),
    (["sentinel-1", "sentinel-2", "sentinel-3"], ["INFO"], ""),
]


@contextlib.contextmanager
def renaming(deployment: Deployment, names: Sequence[str], commands: Sequence[str], new: str) -> Iterator[None]:
    before = {name: deployment.config(name).read_text(encoding="utf-8") for name in names}
    lines = "".join(f'rename-command {command} "{new}{command if new else ""}"\n' for command in commands)

    def restart(name: str, text: str) -> None:
        deployment.stop(name)
        deployment.config(name).write_text(text, encoding="utf-8")
        deployment.start(name)

    for name in names:
        restart(name, before[name] + lines)
    try:
        yield
    finally:
        for name in names:
            restart(name, before[name])
        wait_until(lambda: settled(deployment), 60)


def known_by_all(deployment: Deployment) -> bool:
    """Return whether only renamed commands, and the single machine, are found."""
    return {finding["check"] for finding in preflight(deployment, Circumstances())["findings"]} <= {"renamed-commands", "one-machine"}


@pytest.mark.parametrize(("names", "commands", "new"), CASES, ids=lambda one: "+".join(one) if isinstance(one, list) else one or "off")
def test_one_finding_names_instances_and_commands(deployment: Deployment, names: list[str], commands: list[str], new: str) -> None:
    with renaming(deployment, names, commands, new):
        wait_until(lambda: known_by_all(deployment), 30)
        pids = {name: process.pid for name, process in deployment.processes.items()}
        files = {name: deployment.config(name).read_bytes() for name in names}
        found = preflight(deployment, Circumstances())
        (finding,) = [one for one in found["findings"] if one["check"] == "renamed-commands"]
        assert not found["ready"]
        assert finding["nodes"] == names
        noun = "Sentinel" if names[0] in deployment.sentinels else "data node"
        told = finding["seen"].removeprefix(f"the {noun} does not know ").removesuffix(": renamed or disabled by rename-command")
        assert sorted(told.split()) == sorted(commands)
        assert pids == {name: process.pid for name, process in deployment.processes.items() if process.poll() is None}
        assert files == {name: deployment.config(name).read_bytes() for name in names}


def test_the_module_refuses_before_it_stops_writes(deployment: Deployment) -> None:
    with renaming(deployment, ["redis-2"], ["REPLICAOF"], ""):
        wait_until(lambda: known_by_all(deployment), 30)
        result = deployment.hand_over("redis-2")
        assert result["failed"]
        assert "does not know the command REPLICAOF: it is renamed or disabled" in result["msg"]
        assert deployment.administered_info("redis-1")["role"] == "master"


def test_what_the_run_does_not_use_may_be_renamed(build: Callable[..., Deployment]) -> None:
    """The nodes still rename these commands after the upgrade."""
    deployment = build("6.2.9", extra='rename-command FLUSHALL ""\nrename-command KEYS hidden-keys\nrename-command DEBUG ""\n')
    done = run(deployment, "upgrade", wanted="6.2.14", **reach(deployment))
    assert done.returncode == 0, words(done.stdout)[-2000:]
    for name in deployment.nodes:
        assert deployment.administered_info(name)["redis_version"] == "6.2.14"
        assert deployment.administer(name, "COMMAND", "INFO", "FLUSHALL", "KEYS", "DEBUG") == [None, None, None]
        assert deployment.administer(name, "hidden-keys", "*") == []
