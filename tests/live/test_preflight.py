"""Each finding of the preflight, provoked on real servers: it has a remedy; nothing is touched."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from access import OPS_PASSWORD, documented_rights, with_users
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.undo_file import UndoFile
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import CHECKS
from deployment import MASTER, Deployment
from faults import command, ghost, stopped, without
from injections import (
    MOUNTED,
    NO_FILE,
    READ_ONLY,
    RENAMED,
    Injection,
    an_unfinished_run,
    append_only,
    config,
    cut_off,
    failing_over,
    file_in_journal,
    following,
    half_staged,
    hung,
    lagging,
    loading,
    restarted,
    sentinel_set,
    together,
)
from preflights import Circumstances, evaluate, preflight, survey, survey_all, untouched
from states import settled, wait_until

pytestmark = pytest.mark.extended

VERSION = "7.0.15"
Build = Callable[..., Deployment]


@pytest.fixture(scope="module")
def deployment(build: Build) -> Deployment:
    """Return one deployment for all tests.

    Its Sentinels are patient: an instance that is stopped for a moment is not taken for down.
    """
    return build(
        VERSION, access=with_users(), extra="enable-debug-command yes\nenable-protected-configs yes\nsave 3600 1\n", down_after_ms=60000
    )


@pytest.fixture(autouse=True)
def _in_order(deployment: Deployment) -> None:
    """Wait for order after a failed test, so that each test shows only its own fault."""
    wait_until(lambda: settled(deployment), 90)


# -- faults


@contextlib.contextmanager
def written_to(deployment: Deployment) -> Iterator[None]:
    """Write about 200 KiB per second."""
    done = threading.Event()

    def write() -> None:
        server = deployment.administrator("redis-1")
        while not done.wait(0.01):
            for number in range(2):
                server.command("SET", f"key-{number}", "x" * 1000)
        server.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


@contextlib.contextmanager
def unable_to_save(deployment: Deployment) -> Iterator[None]:
    gone = deployment.folder / "redis-3" / "gone"
    gone.mkdir()
    try:
        with config("redis-3", dir=str(gone))(deployment):
            gone.rmdir()
            command(deployment, "redis-3", "BGSAVE")
            wait_until(lambda: deployment.administered_info("redis-3")["rdb_last_bgsave_status"] == "err")
            yield
    finally:
        command(deployment, "redis-3", "BGSAVE")
        wait_until(lambda: deployment.administered_info("redis-3")["rdb_last_bgsave_status"] == "ok")


@contextlib.contextmanager
def own_data_folder(deployment: Deployment) -> Iterator[None]:
    folder = deployment.folder / "redis-3" / "data"
    folder.mkdir(exist_ok=True)
    with config("redis-3", dir=str(folder))(deployment):
        yield


@contextlib.contextmanager
def another_handover(deployment: Deployment) -> Iterator[None]:
    note = UndoFile(str(deployment.folder / "journal"), MASTER)
    note.take({"pid": 1})
    try:
        yield
    finally:
        note.release()


NOTE = (
    '{"schema": 1, "overrides": [{"kind": "node", "address": "10.0.0.2:6379", "setting": "replica-priority", '
    '"original": 70, "temporary": 1}]}'
)


# -- the hosts as the modules see them


def in_namespace(script: str) -> list[str]:
    """Return a command that runs a module with mounts that the servers do not see."""
    return ["unshare", "--map-root-user", "--mount", "sh", "-ec", script + '; exec "$@"', "sh"]


def scarce_memory(deployment: Deployment) -> Circumstances:
    fake = deployment.folder / "meminfo"
    fake.write_text("MemTotal:       24685000 kB\nMemAvailable:        512 kB\n", encoding="utf-8")
    return Circumstances(wrapped={"redis-1": in_namespace(f"mount --bind {fake} /proc/meminfo")})


def low_limits(_deployment: Deployment) -> Circumstances:
    """Return a look by a user with ``ulimit -n 512``, who may not raise that."""
    return Circumstances(wrapped={"redis-3": ["prlimit", "--nofile=512:512", "setpriv", "--bounding-set=-sys_resource"]})


def full_data_disk(deployment: Deployment) -> Circumstances:
    data = deployment.folder / "redis-3" / "data"
    return Circumstances(wrapped={"redis-3": in_namespace(f"mount -t tmpfs -o size=64k none {data}")})


def full_version_disk(deployment: Deployment) -> Circumstances:
    """Return a look with a tiny file system above the version folder, which stays in place."""
    above = deployment.folder / "redis-3"
    kept = deployment.folder / "kept"
    kept.mkdir(exist_ok=True)
    steps = [
        f"mount --bind {above}/redis {kept}",
        f"mount -t tmpfs -o size=64k none {above}",
        f"mkdir {above}/redis",
        f"mount --bind {kept} {above}/redis",
    ]
    return Circumstances(wrapped={"redis-3": in_namespace("; ".join(steps))})


def wrong_clock(deployment: Deployment) -> Circumstances:
    """Return a look with clocks that are an hour ahead (redis-3) and an hour behind (redis-2)."""
    environment = {}
    for name, shift in (("redis-2", -3600), ("redis-3", 3600)):
        folder = deployment.folder / f"clock-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(f"import time\n_now = time.time\ntime.time = lambda: _now() + {shift}\n", encoding="utf-8")
        environment[name] = {"PYTHONPATH": str(folder)}
    return Circumstances(environment=environment)


# -- the findings


@dataclass(frozen=True)
class Case:
    """A fault and its finding.

    ``besides``: checks of findings that the fault may bring along. ``silent``: instances that do
    not answer meanwhile.
    """

    check: str
    node: str
    seen: str
    inject: Injection = lambda _deployment: contextlib.nullcontext()
    severity: str = "refusal"
    circumstances: Callable[[Deployment], Circumstances] = lambda _deployment: Circumstances()
    besides: str = ""
    silent: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.check}: {self.seen[:50]}"


def under(**options: Any) -> Callable[[Deployment], Circumstances]:
    return lambda _deployment: Circumstances(**options)


ALL_NODES, ALL_SENTINELS = "redis-1 redis-2 redis-3", "sentinel-1 sentinel-2 sentinel-3"
SMALL = {"repl_backlog_size": 16384}
BUFFERS = {**SMALL, "client_output_buffer_limit": "replica 262144 262144 1"}
CASES = [
    Case("inventory", "shard mymaster", "which the inventory does not have", circumstances=under(inventory_lacks=["redis-3"])),
    Case("answers", "redis-3", "the data node does not answer", hung("redis-3", 0), besides="replica-eligible", silent=("redis-3",)),
    Case("access", "redis-2", "cannot be surveyed: INFO", circumstances=under(options={"redis-2": {"login_password": "wrong"}})),
    Case(
        "answers",
        "sentinel-1",
        "this is a Sentinel, the inventory has it as data node",
        circumstances=under(options={"sentinel-1": {"kind": "redis"}}),
        besides="sentinels-known spare-sentinel",
    ),
    Case("downgrade", "redis-1", "a downgrade is refused", circumstances=under(settings={"version": "6.2.14"})),
    Case("format", "shard mymaster", "no way back from 8.0.2 to 7.0.15", circumstances=under(settings={"version": "8.0.2"})),
    Case(
        "format",
        "shard mymaster",
        "no way back from 8.0.2 to 7.0.15",
        circumstances=under(settings={"version": "8.0.2", "accept_no_way_back": True}),
        severity="warning",
    ),
    Case("sentinels-agree", "shard mymaster", "disagree on the quorum", sentinel_set("sentinel-2", "quorum", 1, 2)),
    Case("spare-sentinel", "shard mymaster", "there are 3 Sentinels, and 3 are needed", sentinel_set(ALL_SENTINELS, "quorum", 3, 2)),
    Case("quorum", "Sentinel", "NOQUORUM", sentinel_set(ALL_SENTINELS, "quorum", 4, 2), besides="spare-sentinel"),
    Case(
        "sentinels-reach",
        "Sentinel",
        "has not answered its PING for",
        hung("sentinel-3", 3.6),
        circumstances=under(inventory_lacks=["sentinel-3"]),  # else only "does not answer" is found
        besides="sentinels-known spare-sentinel",
        silent=("sentinel-3",),
    ),
    Case(
        "master-flagged",
        "Sentinel",
        "the master has not answered its PING for",
        hung("redis-1", 3.6),
        besides="answers",
        silent=("redis-1",),
    ),
    Case(
        "replica-eligible",
        "Sentinel",
        "is not in order: it last answered a PING",
        hung("redis-3", 5.6),
        circumstances=under(inventory_lacks=["redis-3"]),
        besides="inventory cannot-follow",
        silent=("redis-3",),
    ),
    Case("time-limits", "Sentinel", "down-after-milliseconds is 1900", sentinel_set(ALL_SENTINELS, "down-after-milliseconds", 1900, 60000)),
    Case("failover", "redis-1", "begun with FAILOVER is in progress", failing_over, besides="answers lag", silent=("redis-3",)),
    Case("one-master", "shard mymaster", "role:master is seen on 2 nodes", following("redis-3", "no one")),
    Case("target", "shard mymaster", "no replica that may become master", config("redis-2 redis-3", replica_priority=0)),
    Case("loading", "redis-3", "it is loading its data", loading, besides="replica-eligible answers"),
    Case("link", "redis-3", "its link to the master is down", cut_off, besides="replica-eligible cannot-follow"),
    Case("follows", "redis-3", "it follows redis-2, which is not the master", following("redis-3", "redis-2"), besides="replica-eligible"),
    Case(
        "lag",
        "redis-3",
        "bytes behind the master",
        lagging,
        circumstances=under(settings={"max_lag_bytes": 1000}),
        besides="replica-eligible",  # the Sentinels' PUBLISH waits, and behind it their next PING
    ),
    Case("min-replicas", "redis-1", "min-replicas-to-write is 2, and 2 replicas", config("redis-1", min_replicas_to_write=2)),
    Case("persistence", "redis-1", "no persistence", config("redis-1", save=""), severity="warning", besides="full-sync"),
    Case("full-sync", "redis-3", 'it saves nothing when it is stopped (save ""', config("redis-3", save=""), severity="warning"),
    Case("full-sync", "redis-2", "starts from its append-only file", append_only, severity="warning"),
    # It then answers even a PING with MISCONF, which Sentinel does not accept as an answer.
    Case("save-failed", "redis-3", "its last BGSAVE failed", unable_to_save, besides="replica-eligible"),
    Case(
        "backlog",
        "shard mymaster",
        "the backlog holds 16 KiB",
        together(config(ALL_NODES, **SMALL), written_to),
        severity="warning",
        besides="lag",
    ),
    Case(
        "output-buffer",
        "redis-1",
        "client-output-buffer-limit for replicas is 262144 262144 1",
        together(config(ALL_NODES, **BUFFERS), written_to),
        severity="warning",
        besides="backlog lag",
    ),
    Case("maxmemory", "redis-2", "maxmemory is", config("redis-2", maxmemory=200000, maxmemory_policy="allkeys-lru")),
    Case(
        "memory",
        "redis-1",
        "512 KiB of memory are available",
        config("redis-3", save=""),
        severity="warning",
        circumstances=scarce_memory,
        besides="full-sync",
    ),
    Case(
        "files",
        "redis-3",
        "lies inside the version folder",
        lambda d: config("redis-3", dir=str(d.folder / "redis-3" / "redis"))(d),
        circumstances=under(options={"redis-3": {"activation": "folder"}}),
    ),
    Case("config-rewrite", "redis-3", "may not write the folder", restarted("redis-3", READ_ONLY)),
    Case("config-rewrite", "redis-3", "is a mount", restarted("redis-3", MOUNTED)),
    Case("files", "redis-3", "without a configuration file", restarted("redis-3", NO_FILE)),
    Case("service-manager", "redis-3", "", circumstances=under(options={"redis-3": {"service_manager": "systemd"}})),
    Case("start", "redis-3", "does not rename (flushall, keys)", restarted("redis-3", RENAMED)),
    Case("start", "redis-3", "its limit of open files (512 instead of", circumstances=low_limits),
    Case("commands", "redis-3", "is not command", circumstances=under(options={"redis-3": {"activate_command": ["true"]}})),
    Case("disk", "redis-3/redis", "for a data file", own_data_folder, severity="warning", circumstances=full_data_disk),
    Case("disk", "redis-3/redis", "for the programs of the new version", circumstances=full_version_disk),
    Case("clock", "redis-3", "s or more ahead of the controller's", severity="warning", circumstances=wrong_clock),
    Case("clock", "redis-2", "s or more behind the controller's", severity="warning", circumstances=wrong_clock),
    Case("leftovers", "redis-1", "it has a fence", config("redis-1", min_replicas_to_write=2147483647), severity="warning"),
    Case("leftovers", "redis-2/redis", "the replica-priority of redis-2 is 100, and was 50", an_unfinished_run, severity="warning"),
    Case("leftovers", "redis-2", "is not usable", file_in_journal("redis-{redis_2}.json", "nonsense")),
    Case("leftovers", "", "names replica-priority of 10.0.0.2:6379 (was 70)", file_in_journal("handover-x.json", NOTE), severity="warning"),
    Case("leftovers", "", "cannot be read", file_in_journal("handover-x.json", "nonsense")),
    Case("leftovers", "redis-2", "redis.new of an earlier run, with no server that runs", half_staged, severity="warning"),
    Case("other-run", "", "another handover is under way", another_handover),
]


def besides_the_machine(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the findings but the one that these deployments always have: one machine is all."""
    return [one for one in findings if one["check"] != "one-machine"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found_and_nothing_is_touched(deployment: Deployment, case: Case) -> None:
    circumstances = case.circumstances(deployment)
    allowed = {case.check, *case.besides.split()}
    last: list[dict[str, Any]] = []

    def found() -> bool:
        last[:] = besides_the_machine(preflight(deployment, circumstances)["findings"])
        mine = [one for one in last if one["check"] == case.check and case.seen in one["seen"] and one["node"].startswith(case.node)]
        return bool(mine) and {one["severity"] for one in mine} == {case.severity} and {one["check"] for one in last} <= allowed

    with case.inject(deployment):
        before = untouched(deployment, case.silent)
        deadline = time.monotonic() + 8
        while not found():  # on a busy machine, another finding may be there for a moment
            assert time.monotonic() < deadline, "\n".join(f"{one['check']} ({one['severity']}): {one['text']}" for one in last)
        assert untouched(deployment, case.silent) == before
    assert all(one["why"] and one["do"] and one["text"].startswith(one["node"]) for one in last)


@pytest.mark.parametrize("name", ["redis-2", "sentinel-2"])
def test_each_right_that_is_missing(deployment: Deployment, name: str) -> None:
    """Each documented right is missed alone, and all of them together."""
    rights = [right[1:] for right in documented_rights()["Sentinels" if name.startswith("sentinel") else "data nodes"].split()]
    assert len(rights) > 8
    records, before = survey_all(deployment, Circumstances()), untouched(deployment)
    for right in rights:
        with without(deployment, [name], right):
            changed = {**records, name: survey(deployment, name, Circumstances())}
        found = [one for one in evaluate(deployment, changed, Circumstances())["findings"] if one["check"] == "rights"]
        if right == "acl|list" and name == "redis-2":
            assert found == []  # only an ACL file needs it
            continue
        (one,) = found
        useful = right in ("sentinel|set", "sentinel|debug", "command|info", "acl|list")
        assert one["node"] == name
        assert one["severity"] == ("warning" if useful else "refusal")
        assert f"our user lacks the right +{right} on" in one["seen"]
    with contextlib.ExitStack() as stack:
        for right in rights:
            stack.enter_context(without(deployment, [name], right))
        changed = {**records, name: survey(deployment, name, Circumstances())}
    told = " ".join(one["text"] for one in evaluate(deployment, changed, Circumstances())["findings"] if one["check"] == "rights")
    # Without a transaction the other rights cannot be tried.
    others = ["multi", "exec"] if name == "redis-2" else [right for right in rights if right != "acl|list"]
    assert all(f"+{right}" in told for right in others)
    assert untouched(deployment) == before


def test_a_deployment_in_order(deployment: Deployment) -> None:
    before = untouched(deployment)
    wait_until(lambda: not besides_the_machine(preflight(deployment, Circumstances())["findings"]))
    assert untouched(deployment) == before


def test_all_data_nodes_on_one_machine(deployment: Deployment) -> None:
    found = [one for one in preflight(deployment, Circumstances())["findings"] if one["check"] == "one-machine"]
    assert [(one["severity"], one["node"], one["seen"]) for one in found] == [
        ("warning", "shard mymaster", "its 3 data nodes are on one machine")
    ]


def test_a_ghost(deployment: Deployment) -> None:
    """A Sentinel that is gone for good, and that all others still count."""
    with ghost(deployment, "sentinel-4") as address:
        found = preflight(deployment, Circumstances())["findings"]
    seen = [(one["seen"], len(one["nodes"])) for one in found if one["check"] == "sentinels-known"]
    assert seen == [("it knows 4 Sentinels, the inventory has 3", 3)]
    assert address


@pytest.mark.parametrize("words", [["preflight"], ["upgrade", "--tags", "preflight"], ["upgrade", "--check"]], ids=" ".join)
def test_the_playbook_tells_all_at_once(deployment: Deployment, tmp_path: Path, words: list[str]) -> None:
    report = tmp_path / "preflight.json"
    variables = {
        "redis_upgrade_version": "7.0.16",
        "redis_binaries_source": "/nowhere",
        "redis_upgrade_preflight_file": str(report),
        **{f"redis_upgrade_{kind}_user": "ops" for kind in ("redis", "sentinel")},
        **{f"redis_upgrade_{kind}_password": OPS_PASSWORD for kind in ("redis", "sentinel")},
    }
    faults = together(
        config("redis-1", min_replicas_to_write=2),
        config("redis-3", save=""),
        lambda one: without(one, ["redis-2"], "shutdown"),
        sentinel_set("sentinel-2", "quorum", 1, 2),
    )
    command_line = ["ansible-playbook", "-i", str(deployment.inventory), f"sentinelops.redis.{words[0]}", *words[1:]]
    with faults(deployment):
        before = untouched(deployment)
        done = subprocess.run([*command_line, "-e", json.dumps(variables)], capture_output=True, text=True, check=False)
        assert untouched(deployment) == before
    assert done.returncode != 0, done.stdout
    assert "Nothing was touched. Before the upgrade may begin:" in done.stdout
    assert "changed=1" not in done.stdout
    found = json.loads(report.read_text(encoding="utf-8"))
    told = {(one["check"], one["severity"], one["node"]) for one in found["findings"]}
    assert {
        ("min-replicas", "refusal", "redis-1"),
        ("rights", "refusal", "redis-2"),
        ("sentinels-agree", "refusal", "shard mymaster"),
        ("full-sync", "warning", "redis-3"),
    } <= told
    assert (found["ready"], found["refusals"] >= 3, found["warnings"] >= 1) == (False, True, True)
    shown = " ".join(done.stdout.split())
    assert "our user lacks the right +shutdown on the data node" in shown
    assert "it will need a full synchronisation after its restart" in shown


def test_a_sentinel_in_tilt(deployment: Deployment) -> None:
    """TILT lasts for 30 s after a Sentinel did not run for 2 s, so this test comes last."""
    with stopped(deployment, "sentinel-2"):
        time.sleep(2.5)
    time.sleep(0.3)
    before = untouched(deployment)
    assert [one["seen"] for one in preflight(deployment, Circumstances())["findings"] if one["check"] == "tilt"] == ["it is in TILT"]
    assert untouched(deployment) == before


def test_no_check_is_left_out() -> None:
    # other files of this folder have these
    elsewhere = {
        "rights",
        "cascade",
        "reserve",
        "hidden",
        "sentinels-known",
        "tilt",
        "one-machine",
        "operator",
        "renamed-commands",
        "version",
        "other-masters",
        "replica-errors",
        "scripts",
        "cannot-follow",
        "included",
        "users",
    }
    assert {case.check for case in CASES} | elsewhere == set(CHECKS)
