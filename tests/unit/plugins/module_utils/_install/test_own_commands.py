"""Activation by the user's own commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.plugins.module_utils._install.activation import activation_from
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._install.own_commands import (
    OwnCommands,
    command_record,
    filled,
    own_words,
    read_command,
)

FILES = InstanceFiles("/image/redis-server", "/state/redis.conf", sentinel=False, log_file="", local=False)


class RecordingHost(Host):
    """A host that records the commands that it is told to run."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.ran: list[tuple[list[str], float, dict[str, str]]] = []

    def run(self, words: Sequence[str], timeout_s: float, variables: Mapping[str, str] | None = None) -> Ran:
        self.ran.append((list(words), timeout_s, dict(variables or {})))
        return Ran(self.code, "", "no such image" * bool(self.code))


def commands(host: Host) -> OwnCommands:
    return OwnCommands(("ctl", "use", "{version}"), ("ctl", "use", "{previous}", "{{.State}}"), "7.0.15", "7.0.5", 60, host)


def test_the_commands_run_with_both_versions() -> None:
    host = RecordingHost()
    own, environment = commands(host), {"SENTINELOPS_VERSION": "7.0.15", "SENTINELOPS_PREVIOUS": "7.0.5"}
    own.require_activatable(FILES)
    assert own.activate(FILES, None) == own.revert(FILES, "7.0.5") == own.files_after(FILES) == FILES
    assert host.ran == [(["ctl", "use", "7.0.15"], 60, environment), (["ctl", "use", "7.0.5", "{{.State}}"], 60, environment)]


def test_a_command_that_fails_is_named() -> None:
    own = commands(RecordingHost(code=3))
    with pytest.raises(OperationFailed, match=r"the activate command ctl use 7\.0\.15 ended with 3: no such image"):
        own.activate(FILES, None)
    with pytest.raises(OperationFailed, match=r"the deactivate command ctl use 7\.0\.5"):
        own.revert(FILES, "7.0.5")


def test_nothing_is_read_from_files() -> None:
    """Only the running server tells its version, so an activation is always carried out again."""
    own = commands(RecordingHost())
    assert (own.activated("7.0.15"), own.in_place("7.0.15"), own.interrupted()) == (False, True, False)
    assert (own.installed_version(), own.kept_version(), own.staged_version()) == ("7.0.5", "7.0.5", "")
    assert own.serves_previous("/any/server", "7.0.5")
    assert not own.changes_server_path("/any/server")


def test_there_must_be_a_way_back() -> None:
    own = activation_from({**command_record(), "activate": ["true"], "new_version": "7.0.15", "previous_version": "7.0.5"})
    with pytest.raises(PreconditionFailed, match="both an activate and a deactivate command are needed"):
        own.require_activatable(FILES)


def test_placeholders() -> None:
    assert filled(["{version}{previous}", "{other}", "{{.Names}}"], "2", "1") == ["21", "{other}", "{{.Names}}"]


def test_commands_of_the_user() -> None:
    assert own_words("sh -c 'a b'", "stage_command") == ["sh", "-c", "a b"]
    assert own_words(["/nix/{version}/bin/activate", 1], "stage_command") == ["/nix/{version}/bin/activate", "1"]
    assert read_command([], "stage_command") == read_command(None, "stage_command") == {"words": [], "problem": ""}
    assert read_command(["sh"], "stage_command") == {"words": ["sh"], "problem": ""}
    missing = read_command(["/no/such/program", "{version}"], "stage_command")
    assert missing["words"] == ["/no/such/program", "{version}"]
    assert missing["problem"] == "stage_command: there is no program /no/such/program on this host"
    assert "cannot be read" in read_command("sh 'open", "stage_command")["problem"]


def test_the_environment_of_a_command_on_this_host() -> None:
    own = OwnCommands(("sh", "-c", 'echo "$SENTINELOPS_PREVIOUS to $SENTINELOPS_VERSION"; exit 1'), (), "7.0.15", "7.0.5")
    with pytest.raises(OperationFailed, match=r"ended with 1: 7\.0\.5 to 7\.0\.15"):
        own.activate(FILES, None)
