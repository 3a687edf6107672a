"""The guard against restarts by scripts of packages; systemctl is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._install.restart_guard import RestartGuard, instances_of

UNITS = ("redis-server.service", "redis-sentinel.service")


class Units(Host):
    """A host with units; remembers which are enabled and marked."""

    def __init__(self) -> None:
        self.enabled = dict.fromkeys(UNITS, "enabled")
        self.marked: set[str] = set()
        self.namespaces = True

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        if words[0] == "unshare":
            return Ran(0, "") if self.namespaces else Ran(1, "", "unshare: unshare failed: Operation not permitted")
        unit = words[-1]
        if words[1] in ("enable", "disable"):
            self.enabled[unit] = words[1] + "d"
        elif words[1] == "set-property":
            self.marked.remove(words[-2])
        elif "--property=UnitFileState" in words:
            return Ran(0, self.enabled[unit] + "\n")
        elif "--property=Markers" in words:
            return Ran(0, "needs-restart\n" if unit in self.marked else "\n")
        return Ran(0, "")


@pytest.fixture
def host() -> Units:
    return Units()


def guard(host: Units, root: Path, units: tuple[str, ...] = UNITS) -> RestartGuard:
    return RestartGuard(units, host, str(root / "policy-rc.d"), str(root / "place"))


def test_inside_all_is_forbidden_and_outside_nothing_is_left(host: Units, tmp_path: Path) -> None:
    ours = guard(host, tmp_path)
    with ours.active() as within:
        assert (tmp_path / "policy-rc.d").read_text().endswith("exit 101\n")
        assert (tmp_path / "policy-rc.d").stat().st_mode & 0o111
        assert within[:2] == ["unshare", "--mount"]
        assert ours.leftovers() == [str(tmp_path / "policy-rc.d")]
    assert ours.leftovers() == []
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_policy_that_was_there_is_put_back(host: Units, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with guard(host, tmp_path).active():
        assert "exit 101" in policy.read_text()
    assert (policy.read_text(), policy.stat().st_mode & 0o777) == ("#!/bin/sh\nexit 0\n", 0o700)
    assert [path.name for path in tmp_path.iterdir() if "policy" in path.name] == ["policy-rc.d"]


@pytest.mark.parametrize("theirs", ["", "#!/bin/sh\nexit 0\n"])
def test_the_leftovers_of_a_killed_run_are_found_and_removed(host: Units, tmp_path: Path, theirs: str) -> None:
    policy = tmp_path / "policy-rc.d"
    if theirs:
        policy.write_text(theirs)
    killed = guard(host, tmp_path).active()
    killed.__enter__()  # and never left
    left = guard(host, tmp_path, ()).leftovers()
    assert len(left) == (2 if theirs else 1)
    with guard(host, tmp_path).active():
        pass
    assert guard(host, tmp_path, ()).leftovers() == []
    assert (policy.read_text() if policy.exists() else "") == theirs


def test_units_stay_enabled_or_disabled(host: Units, tmp_path: Path) -> None:
    host.enabled[UNITS[1]] = "disabled"
    before = dict(host.enabled)
    with guard(host, tmp_path).active():
        host.enabled = {UNITS[0]: "disabled", UNITS[1]: "enabled"}
    assert host.enabled == before


def test_a_failure_removes_the_guard_as_well(host: Units, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), guard(host, tmp_path).active():
        raise ValueError("x")
    assert guard(host, tmp_path).leftovers() == []


def test_marked_restarts_are_unmarked(host: Units, tmp_path: Path) -> None:
    with guard(host, tmp_path).active():
        host.marked = {UNITS[0]}
    assert host.marked == set()


def test_nothing_is_touched_without_mount_namespaces(host: Units, tmp_path: Path) -> None:
    host.namespaces = False
    with pytest.raises(PreconditionFailed, match=r"no mount namespace .*Operation not permitted"), guard(host, tmp_path).active():
        pass
    assert guard(host, tmp_path).leftovers() == []


def test_a_host_without_systemd_needs_the_policy_only(host: Units, tmp_path: Path) -> None:
    host.namespaces = False
    with guard(host, tmp_path, ()).active() as within:
        assert within == []
        assert (tmp_path / "policy-rc.d").exists()


def test_instances_of_templates() -> None:
    class Listed(Host):
        def run(self, words: Sequence[str], timeout_s: float) -> Ran:
            assert words[-1] == "redis-server@*.service"
            return Ran(
                0, "redis-server@a.service loaded active running Advanced key-value store (a)\nredis-server@b.service loaded failed\n"
            )

    assert instances_of(["redis-server.service", "redis-server@.service"], Listed()) == ["redis-server@a.service", "redis-server@b.service"]
    assert instances_of(["redis-server.service"], Listed()) == []
