"""The remains of a handover whose processes died: the next handover finishes and restores them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import AccessDenied, OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.leftovers import Leftovers
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.overrides import SettingOverride
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.state import HandoverState
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.fence import fence_for
from ansible_collections.sentinelops.redis.plugins.module_utils._topology.shard import read_shard
from ansible_collections.sentinelops.redis.tests.unit.support.data_node import SETTINGS, DataNode
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment
from ansible_collections.sentinelops.redis.tests.unit.support.servers import Occasion
from ansible_collections.sentinelops.redis.tests.unit.support.standby import ProcessUndoFile, Standby, killed

PRIORITY = SettingOverride("node", TARGET, "replica-priority", 100, 1)
TIMEOUT = SettingOverride("sentinel", SENTINELS[1], "failover-timeout", 60000, 5000)


def fence(node: DataNode, to_write: int = 0, max_lag: int = 10) -> None:
    """Set the explicit fence as a handover does, and save it as Sentinel has a node do."""
    node.config["min-replicas-to-write"] = str(fence_for(to_write, max_lag))
    node.config["min-replicas-max-lag"] = str(max_lag or 10)
    node.saved_config = dict(node.config)


def failed_over(demoted: bool) -> Deployment:
    """Return a deployment after a failover; the old master is fenced, and demoted or not."""
    deployment = Deployment()
    fence(deployment.master)
    deployment.target.offset = deployment.master.offset
    deployment.target.promote()
    deployment.replicas[1].be_made_to_follow(deployment.target)
    if demoted:
        deployment.master.follow(deployment.target)
    for sentinel in deployment.sentinels:
        sentinel.master = deployment.target
    deployment.read_again()
    return deployment


def assert_recovered(deployment: Deployment, master: str = MASTER) -> None:
    """All nodes follow this master, all settings are restored, and no write was lost."""
    assert deployment.roles() == {str(node.address): "master" if str(node.address) == master else master for node in deployment.nodes}
    assert deployment.settings() == Deployment().settings()
    assert deployment.lost_bytes == 0


# -- a fence


@pytest.mark.parametrize("index", [0, 1, 2], ids=["the master", "the target", "another replica"])
def test_a_fence_is_lifted_also_if_nothing_else_is_to_be_done(index: int) -> None:
    deployment = Deployment()
    node = deployment.nodes[index]
    fence(node)
    handover = deployment.handover(MASTER)
    assert handover.survey()
    assert handover.leftovers.sentences() == [f"{node.address} is fenced (min-replicas-to-write 2147483647)"]
    assert deployment.wire.changing() == [], "it is only recognised"
    outcome = handover.run()
    assert outcome.changed
    assert outcome.recovered == [f"the fence of an earlier handover on {node.address} was lifted: min-replicas-to-write is 0 again"]
    assert_recovered(deployment)


@pytest.mark.parametrize("index", [0, 1, 2], ids=["the master", "the target", "another replica"])
@pytest.mark.parametrize("mode", ["pause", "fence"])
def test_a_fence_is_lifted_before_a_handover(mode: str, index: int) -> None:
    deployment = Deployment()
    fence(deployment.nodes[index])
    outcome = deployment.hand_over(mode=mode)
    assert (len(outcome.recovered), outcome.old_master, outcome.new_master) == (1, MASTER, TARGET)
    assert_recovered(deployment, TARGET)


@pytest.mark.parametrize("max_lag", [0, 10, 30])
@pytest.mark.parametrize("to_write", [0, 1, 2])
def test_the_fence_says_what_was_before(to_write: int, max_lag: int) -> None:
    deployment = Deployment()
    fence(deployment.master, to_write, max_lag)
    deployment.handover(MASTER).survey()
    handover = deployment.handover(MASTER)
    handover.survey()
    handover.run()
    for config in (deployment.master.config, deployment.master.saved_config):
        assert config == {**SETTINGS, "min-replicas-to-write": str(to_write), "min-replicas-max-lag": str(max_lag)}
    assert deployment.master.takes_writes


@pytest.mark.parametrize("demoted", [True, False])
def test_an_old_master_that_is_fenced_follows_the_new_one_before_its_fence_is_lifted(demoted: bool) -> None:
    deployment = failed_over(demoted)
    handover = deployment.handover(TARGET)
    assert handover.survey()
    outcome = handover.run()
    demotion = f"{MASTER} follows {TARGET} now, as an earlier handover intended"
    proof = "; loss: none, the old master had no byte of the stream that the new master lacks"
    assert outcome.recovered[:-1] == [demotion + proof] * (not demoted)
    begins = deployment.wire.begins
    assert len(begins(MASTER, "REPLICAOF 10.0.0.2 6379")) == (not demoted)
    assert [at for at in begins(MASTER, "REPLICAOF") if at > begins(MASTER, "CONFIG SET")[0]] == []
    assert_recovered(deployment, TARGET)


def test_a_ping_delay_without_an_undo_file_is_ended() -> None:
    deployment = Deployment()
    deployment.master.config["repl-ping-replica-period"] = "1000030"
    handover = deployment.handover(MASTER)
    assert handover.survey()
    assert handover.run().recovered == ["repl-ping-replica-period of 10.0.0.1:6379 is 30 again (an earlier handover had set 1000030)"]
    assert deployment.master.config["repl-ping-replica-period"] == "30"


def test_an_old_master_that_is_fenced_can_be_master_again() -> None:
    """A handover of its own moves the role back."""
    deployment = failed_over(demoted=False)
    outcome = deployment.hand_over(MASTER)
    assert (outcome.old_master, outcome.new_master) == (TARGET, MASTER)
    assert_recovered(deployment, MASTER)


def test_it_is_certain_only_after_a_while() -> None:
    """A handover from another host may be in progress: then the fence is its own."""
    deployment = Deployment()
    fence(deployment.master)
    handover = deployment.handover(MASTER)
    handover.survey()
    begun_s = deployment.clock.now_s()
    handover.run()
    lifted = deployment.wire.sent[deployment.wire.begins(MASTER, "CONFIG SET")[0]].at_s
    assert 3.0 <= lifted - begun_s < 4.0


@pytest.mark.parametrize("mode", ["pause", "fence"])
def test_a_fence_that_comes_while_something_else_is_waited_for(mode: str) -> None:
    """A handover from another host begins meanwhile.

    Its fence must not be taken for the original setting.
    """
    deployment = Deployment()
    deployment.sentinels[1].tilt = True
    deployment.clock.at(2.6, lambda: fence(deployment.master))
    deployment.clock.at(2.7, lambda: vars(deployment.sentinels[1]).update(tilt=False))
    deployment.clock.at(3.3, lambda: deployment.master.config.update(SETTINGS))
    deployment.hand_over(mode=mode)
    assert deployment.master.config == deployment.master.saved_config == SETTINGS
    assert deployment.lost_bytes == 0


def test_a_failover_in_progress_is_waited_for() -> None:
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.promotion_s = 2.0
    deployment.target.config["replica-priority"] = "1"
    deployment.read_again()
    fence(deployment.master)
    deployment.sentinels[1].command("SENTINEL", "FAILOVER", "mymaster")
    handover = deployment.handover(TARGET)
    handover.survey()
    outcome = handover.run()
    assert any(f"{MASTER} follows {TARGET}" in sentence for sentence in outcome.recovered)
    sent, begins = deployment.wire.sent, deployment.wire.begins
    assert sent[begins(MASTER, "REPLICAOF")[0]].at_s > 1000 + 2.0 + 3.0
    assert deployment.roles() == {MASTER: TARGET, TARGET: "master", OTHER: TARGET}
    assert deployment.master.config["min-replicas-to-write"] == deployment.master.saved_config["min-replicas-to-write"] == "0"
    assert deployment.lost_bytes == 0


def test_a_failover_in_progress_that_another_handover_finishes() -> None:
    """The other handover lifts its fence before this run is certain: nothing is left."""
    deployment = Deployment()
    fence(deployment.master)
    handover = deployment.handover(MASTER)
    handover.survey()
    deployment.clock.at(1.0, lambda: deployment.master.config.update({"min-replicas-to-write": "0"}))
    deployment.master.saved_config = dict(deployment.master.config, **{"min-replicas-to-write": "0"})
    outcome = handover.run()
    assert outcome.recovered == []
    assert not deployment.wire.begins(MASTER, "CONFIG SET")


DOUBTS: list[tuple[Callable[[Deployment], None], str]] = [
    (lambda deployment: vars(deployment.sentinels[2]).update(master=deployment.target), "address of the master"),
    (lambda deployment: vars(deployment.sentinels[1]).update(alive=False), f"Sentinel {SENTINELS[1]}: no answer"),
    (lambda deployment: vars(deployment.replicas[1]).update(alive=False), f"data node {OTHER}: no answer"),
    (
        lambda deployment: vars(deployment.sentinels[0]).update(master_flags=["master", "failover_in_progress"]),
        f"Sentinel {SENTINELS[0]} has a failover in progress",
    ),
    (
        lambda deployment: [vars(one).update(master=deployment.target) for one in deployment.sentinels] and None,
        f"the Sentinels name {TARGET}, which does not say role:master",
    ),
]


@pytest.mark.parametrize(("change", "doubt"), DOUBTS, ids=[doubt for _change, doubt in DOUBTS])
def test_nothing_is_changed_while_the_roles_are_in_doubt(change: Callable[[Deployment], None], doubt: str) -> None:
    deployment = Deployment()
    fence(deployment.master)
    change(deployment)
    handover = deployment.handover(MASTER, wait_s=6)
    handover.survey()
    with pytest.raises(PreconditionFailed) as caught:
        handover.run()
    assert "an earlier handover was cut short and cannot be finished yet" in str(caught.value)
    assert doubt in str(caught.value)
    assert f"Left by it: {MASTER} is fenced (min-replicas-to-write 2147483647). Nothing was changed now" in str(caught.value)
    assert any(doubt in problem for problem in caught.value.facts["problems"])
    assert deployment.wire.changing() == []
    assert not deployment.master.takes_writes


@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_a_doubt_that_passes(seconds: float) -> None:
    deployment = Deployment()
    fence(deployment.master)
    deployment.sentinels[1].alive = False
    deployment.clock.at(seconds, lambda: vars(deployment.sentinels[1]).update(alive=True))
    handover = deployment.handover(MASTER, wait_s=30)
    handover.survey()
    assert len(handover.run().recovered) == 1
    assert deployment.wire.sent[deployment.wire.begins(MASTER, "CONFIG SET")[0]].at_s > 1000 + seconds + 2.75, (
        "it looks every quarter of a second"
    )
    assert_recovered(deployment)


def test_doubts_that_come_and_go() -> None:
    """The roles must be certain for three seconds without a break."""
    deployment = Deployment()
    fence(deployment.master)
    for second in range(10):
        deployment.clock.at(second, lambda even=second % 2 == 0: vars(deployment.sentinels[0]).update(alive=even))
    handover = deployment.handover(MASTER, wait_s=8)
    handover.survey()
    with pytest.raises(PreconditionFailed, match="cannot be finished yet"):
        handover.run()
    assert deployment.wire.changing() == []


@pytest.mark.parametrize("command", ["CONFIG SET", "CONFIG REWRITE"])
def test_a_right_that_is_missing(command: str) -> None:
    deployment = Deployment()
    fence(deployment.master)
    deployment.master.refuses[command] = repeat("NOPERM no")
    handover = deployment.handover(MASTER)
    handover.survey()
    with pytest.raises((AccessDenied, PreconditionFailed)) as caught:
        handover.run()
    assert caught.value.state
    assert deployment.lost_bytes == 0


@pytest.mark.parametrize("command", ["REPLICAOF", "CONFIG SET", "CONFIG REWRITE"])
def test_a_connection_that_breaks_once(command: str) -> None:
    deployment = failed_over(demoted=False)
    deployment.master.loses_answers.add(command)
    handover = deployment.handover(TARGET)
    handover.survey()
    handover.run()
    assert_recovered(deployment, TARGET)


def test_a_node_that_refuses_to_be_demoted_stays_fenced() -> None:
    deployment = failed_over(demoted=False)
    deployment.master.refuses["REPLICAOF"] = repeat("ERR no")
    handover = deployment.handover(TARGET)
    handover.survey()
    with pytest.raises(Exception, match="REPLICAOF was answered with: ERR no"):
        handover.run()
    assert deployment.master.fenced
    assert deployment.lost_bytes == 0


def test_the_target_cannot_be_master() -> None:
    """The target is judged first: nothing is restored for a handover that is refused."""
    deployment = Deployment()
    fence(deployment.master)
    deployment.target.config["replica-priority"] = "0"
    with pytest.raises(PreconditionFailed, match="has replica-priority 0"):
        deployment.handover(TARGET).survey()
    assert deployment.wire.changing() == []


# -- the undo file


def undo_file_with(tmp_path: Path, *overrides: SettingOverride) -> UndoFile:
    undo_file = UndoFile(str(tmp_path), "mymaster")
    undo_file.write(overrides, HandoverState())
    return undo_file


def test_what_the_undo_file_says_is_restored(tmp_path: Path) -> None:
    deployment = Deployment()
    deployment.target.config["replica-priority"] = deployment.target.saved_config["replica-priority"] = "1"
    deployment.sentinels[1].failover_timeout_ms = 5000
    handover = deployment.handover(MASTER, undo_file=undo_file_with(tmp_path, PRIORITY, TIMEOUT))
    assert handover.survey()
    assert handover.leftovers.sentences() == [
        f"replica-priority of {TARGET} is 1 (was 100)",
        f"failover-timeout of {SENTINELS[1]} is 5000 (was 60000)",
    ]
    outcome = handover.run()
    assert outcome.changed
    assert outcome.recovered == [
        f"replica-priority of {TARGET} is 100 again (an earlier handover had set 1)",
        f"failover-timeout of {SENTINELS[1]} is 60000 again (an earlier handover had set 5000)",
    ]
    assert_recovered(deployment)
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_has_set_since_is_left_alone(tmp_path: Path) -> None:
    deployment = Deployment()
    deployment.target.config["replica-priority"] = "50"
    deployment.sentinels[1].failover_timeout_ms = 30000
    handover = deployment.handover(MASTER, undo_file=undo_file_with(tmp_path, PRIORITY, TIMEOUT))
    assert handover.survey()
    assert (handover.leftovers.fenced, handover.leftovers.overrides) == ((), ())
    handover.run()
    assert deployment.target.config["replica-priority"] == deployment.target.saved_config["replica-priority"] == "50"
    assert deployment.sentinels[1].failover_timeout_ms == 30000
    assert list(tmp_path.iterdir()) == []


def test_what_was_put_back_and_not_saved_is_saved(tmp_path: Path) -> None:
    """Sentinel had the node save the steered priority.

    The handover died after it restored the priority, and before the node saved that.
    """
    deployment = Deployment()
    deployment.target.saved_config["replica-priority"] = "1"
    handover = deployment.handover(MASTER, undo_file=undo_file_with(tmp_path, PRIORITY))
    assert handover.survey()
    assert handover.leftovers.sentences() == [f"the configuration file of {TARGET} may still have a setting of that handover"]
    assert handover.run().recovered == [f"{TARGET} saved its settings again"]
    assert_recovered(deployment)
    assert list(tmp_path.iterdir()) == []


def test_a_note_of_which_nothing_is_left_goes_with_the_next_handover(tmp_path: Path) -> None:
    deployment = Deployment()
    outcome = deployment.hand_over(undo_file=undo_file_with(tmp_path, TIMEOUT))
    assert outcome.recovered == []
    assert_recovered(deployment, TARGET)
    assert list(tmp_path.iterdir()) == []


def test_the_values_before_the_first_handover_are_those_that_count(tmp_path: Path) -> None:
    """The second handover must not take overrides of the first one for original values."""
    deployment = Deployment()
    deployment.target.config["replica-priority"] = "1"
    deployment.sentinels[1].failover_timeout_ms = 5000
    deployment.read_again()
    deployment.hand_over(undo_file=undo_file_with(tmp_path, PRIORITY, TIMEOUT))
    assert_recovered(deployment, TARGET)


def test_what_the_note_says_cannot_be_put_back(tmp_path: Path) -> None:
    deployment = Deployment()
    deployment.sentinels[1].failover_timeout_ms = 5000
    deployment.sentinels[1].refuses["SENTINEL SET"] = repeat("NOPERM no")
    handover = deployment.handover(MASTER, undo_file=undo_file_with(tmp_path, PRIORITY, TIMEOUT))
    handover.survey()
    with pytest.raises(PreconditionFailed, match="could not be restored: not restored on"):
        handover.run()
    assert UndoFile(str(tmp_path), "mymaster").left_behind()[0] == [PRIORITY, TIMEOUT], "the next one tries again"


def test_a_handover_writes_down_what_it_will_change(tmp_path: Path) -> None:
    deployment = Deployment()
    undo_file = UndoFile(str(tmp_path), "mymaster")
    seen: list[list[SettingOverride]] = []
    deployment.target.before["CONFIG SET replica-priority 1"] = lambda: seen.append(undo_file.left_behind()[0])
    deployment.hand_over(undo_file=undo_file)
    ((*changes,),) = seen
    assert PRIORITY in changes
    assert SettingOverride("node", MASTER, "min-replicas-to-write", 0, 2147483647) in changes
    node = {"replica-priority", "min-replicas-to-write", "min-replicas-max-lag", "repl-ping-replica-period"}
    assert {change.setting for change in changes} == {*node, "info-period", "failover-timeout"}
    assert list(tmp_path.iterdir()) == []


def test_only_one_handover_at_a_time(tmp_path: Path) -> None:
    deployment = Deployment()
    first = UndoFile(str(tmp_path), "mymaster")
    first.take({"pid": 4711})
    handover = deployment.handover(undo_file=UndoFile(str(tmp_path), "mymaster"))
    assert not handover.survey()
    with pytest.raises(PreconditionFailed, match="another handover of this master is under way"):
        handover.run()
    assert deployment.wire.changing() == []


# -- everything is killed, and a later run finishes it


def dead_at(mode: str, tmp_path: Path, promotion_s: float, *occasions: Occasion) -> Deployment:
    """Return the deployment some time after a handover died, and its standby.

    The handover dies at the first accident, the standby at the second one; without a second
    accident the standby never takes over.
    """
    deployment = Deployment()
    for occasion in occasions:
        deployment.wire.plan(occasion)
    for sentinel in deployment.sentinels:
        sentinel.promotion_s, sentinel.down_after_ms = promotion_s, 2000
    undo_file, standby = ProcessUndoFile(str(tmp_path), deployment.wire), Standby(deployment.wire)
    killed(deployment, standby, undo_file, mode=mode)
    if len(occasions) == 2:
        standby.awake()
    deployment.wire.sender_is_dead = False
    undo_file.release()
    deployment.clock.pass_s(15)
    return deployment


def assert_finished_by_the_next(deployment: Deployment, mode: str, target: str, tmp_path: Path, occasion: Occasion) -> None:
    if mode == "fence":
        assert deployment.lost_bytes == 0, occasion
    lost = deployment.lost_bytes
    handover = deployment.handover(target, undo_file=UndoFile(str(tmp_path), "mymaster"), mode=mode)
    if not handover.survey() or handover.leftovers:
        handover.run()
    assert deployment.roles() == {address: "master" if address == target else target for address in (MASTER, TARGET, OTHER)}, occasion
    before = Deployment().settings()
    assert {name: now for name, now in deployment.settings().items() if now != before[name]} == {}, occasion
    assert deployment.lost_bytes == lost, occasion
    assert list(tmp_path.iterdir()) == [], occasion


@pytest.mark.parametrize(
    ("mode", "promotion_s", "target"),
    [("fence", 0.19, TARGET), ("fence", 0.19, MASTER), ("pause", 0.19, TARGET), ("pause", 1.3, MASTER)],
    ids=["mode fence, again", "mode fence, back", "mode pause, again", "mode pause behind a fence, back"],
)
def test_the_next_handover_finishes_what_a_dead_one_has_left(mode: str, promotion_s: float, target: str, tmp_path: Path) -> None:
    wire = dead_at(mode, tmp_path, promotion_s).wire
    for occasion in wire.occasions("CONFIG SET replica-priority 1", after="killed after"):
        deployment = dead_at(mode, tmp_path, promotion_s, occasion)
        assert_finished_by_the_next(deployment, mode, target, tmp_path, occasion)


@pytest.mark.parametrize(
    "command", ["CONFIG SET min-replicas-to-write 2147483647", "SENTINEL FAILOVER mymaster", "REPLICAOF 10.0.0.2 6379"]
)
def test_the_next_handover_finishes_what_a_dead_one_and_its_standby_have_left(command: str, tmp_path: Path) -> None:
    first = dead_at("fence", tmp_path, 0.19).wire.occasions(command, after="killed after")[0]
    nowhere = Occasion(-1, "", "")
    later = dead_at("fence", tmp_path, 0.19, first, nowhere).wire.occasions(command, after="killed after")[1:]
    assert len(later) > 3
    for second in later:
        deployment = dead_at("fence", tmp_path, 0.19, first, second)
        assert_finished_by_the_next(deployment, "fence", TARGET, tmp_path, second)


def test_of_looks_at_the_nodes_and_at_the_undo_file() -> None:
    deployment = Deployment()
    servers = deployment.servers()
    assert not Leftovers.of(servers, "mymaster", read_shard(servers, "mymaster"), [TIMEOUT])
    fence(deployment.replicas[1])
    deployment.target.config["replica-priority"] = "1"
    found = Leftovers.of(servers, "mymaster", read_shard(servers, "mymaster"), [PRIORITY])
    assert [node.address for node in found.fenced] == [OTHER]
    assert found.overrides == (PRIORITY,)


def test_a_handover_whose_promotion_never_came_is_finished_by_the_next_one(tmp_path: Path) -> None:
    """Its Sentinel hung, so its settings could not be restored, and then lost its failover."""
    deployment = Deployment()
    for sentinel in deployment.sentinels:
        sentinel.hangs = True
    with pytest.raises(OperationFailed, match="is fenced and refuses writes"):
        deployment.hand_over(undo_file=UndoFile(str(tmp_path), "mymaster"))
    for sentinel in deployment.sentinels:
        sentinel.failover, sentinel.hangs = None, False
    deployment.clock.limit(100)
    handover = deployment.handover(MASTER, undo_file=UndoFile(str(tmp_path), "mymaster"))
    assert handover.survey()
    assert len(handover.run().recovered) == 4
    assert_recovered(deployment)
    assert list(tmp_path.iterdir()) == []
