"""Preflight findings about instances that share their programs, or a machine."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import REFUSAL, WARNING, Finding
from ansible_collections.sentinelops.redis.plugins.plugin_utils._plan.rendering import plan_lines
from ansible_collections.sentinelops.redis.plugins.plugin_utils._preflight.preflight import preflight
from ansible_collections.sentinelops.redis.tests.unit.support.survey import Surveyed, three_and_three

SHARED = {"method": "files", "folder": "/opt/redis", "staged": "/opt/redis.new", "kept": "/opt/redis.old", "doubts": []}


def findings(deployment: Surveyed) -> list[Finding]:
    return preflight(deployment.instances(), deployment.plan(), 1048576)


def share(deployment: Surveyed, **record: Any) -> None:
    """Let a Sentinel and a data node of one machine run from the same folder."""
    for number, node in enumerate((deployment.sentinels[0], deployment.node("redis-1"))):
        programs = {"activation": SHARED, "folder": "/opt/redis", "machine": "boot:1:2", "executable": "/opt/redis/redis-server"}
        node.record.update(**programs, pid=100 + number, neighbours=[100, 101], dir="/opt/redis", **record)


def test_programs_that_are_shared_and_data_beside_them() -> None:
    deployment = three_and_three()
    share(deployment)
    assert findings(deployment) == []
    assert [line for line in plan_lines(deployment.plan().as_dict()) if line.startswith("shared: ")] == [
        "shared: /opt/redis, by sentinel-1/sentinel, redis-1/redis; gets the new version, and the old one is kept in /opt/redis.old",
        "shared: each is replaced once, at the first restart; what restarts by itself after that comes up with the new version",
    ]


def test_a_stranger_that_runs_from_the_same_programs() -> None:
    deployment = three_and_three()
    share(deployment)
    deployment.node("redis-1").record["neighbours"] = [100, 101, 4711]
    found = findings(deployment)
    assert [(one.severity, one.check) for one in found] == [(WARNING, "files")]
    assert found[0].seen == "process 4711 also runs from /opt/redis, and belongs to no instance of this run"


def test_a_folder_that_cannot_be_written() -> None:
    deployment = three_and_three()
    share(deployment, folder_writable=False)
    assert {one.seen for one in findings(deployment)} == {"the folder /opt/redis of its programs is not writable"}


@pytest.mark.parametrize(
    ("method", "refused"), [("folder", True), ("files", True), ("symlink", True), ("package", False), ("command", False)]
)
def test_a_file_system_from_which_no_program_can_be_started(method: str, refused: bool) -> None:
    """Packages place their programs elsewhere, and the survey judges those of an update."""
    deployment = three_and_three()
    node = deployment.node("redis-2")
    node.record.update(noexec_folder="/opt/redis", activation={"method": method, "folder": "/opt/redis/redis"})
    found = [one.node for one in findings(deployment) if one.seen == "the file system of /opt/redis is mounted with noexec"]
    assert found == ["redis-2"] * refused


@pytest.mark.parametrize(("machine", "refused"), [("boot", True), ("another", False)])
def test_a_version_folder_that_holds_the_programs_of_another_instance(machine: str, refused: bool) -> None:
    deployment = three_and_three()
    share(deployment)
    deployment.node("redis-2").record.update(folder="/opt", activation={"method": "folder", "folder": "/opt"}, machine=f"{machine}:1:3")
    found = [one for one in findings(deployment) if "from which the other runs" in one.seen]
    assert [(one.severity, len(one.names)) for one in found] == [(REFUSAL, 2)] * refused


def test_a_configuration_file_in_a_release_that_is_shared() -> None:
    deployment = three_and_three()
    link = {
        "method": "symlink",
        "folder": "/opt/redis/current",
        "staged": "/opt/redis/releases/7.0.15",
        "kept": "/opt/redis/releases/7.0.5",
    }
    for node, place in ((deployment.sentinels[0], "/opt/redis/current"), (deployment.node("redis-1"), "/etc")):
        node.record.update(activation=link, folder=link["folder"], machine="boot:1:2", executable="/opt/redis/current/redis-server")
        node.record.update(config_file=f"{place}/redis.conf")
    found = findings(deployment)
    assert [(one.node, one.severity) for one in found] == [("sentinel-1/sentinel", REFUSAL)]
    assert "is in the release that it shares" in found[0].seen


def test_all_data_nodes_on_one_machine() -> None:
    deployment = three_and_three()
    for number in (1, 2, 3):
        deployment.node(f"redis-{number}").record["machine"] = f"boot:1:{number}"
    found = findings(deployment)
    assert [(one.check, one.severity) for one in found] == [("one-machine", WARNING)]
    assert found[0].seen == "its 3 data nodes are on one machine"
