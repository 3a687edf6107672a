"""Settings that are overridden for the duration of a handover, and their restoration."""

from __future__ import annotations

import json
from itertools import repeat

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._handover.overrides import (
    SettingOverride,
    info_period_ms,
    restore_overrides,
    still_overridden,
)
from ansible_collections.sentinelops.redis.tests.unit.support.deployment import MASTER, OTHER, SENTINELS, TARGET, Deployment

NAME = "mymaster"
PRIORITY = SettingOverride("node", TARGET, "replica-priority", 100, 1)
PERIOD = SettingOverride("sentinel", SENTINELS[0], "info-period", 10000, 1000)
TIMEOUT = SettingOverride("sentinel", SENTINELS[1], "failover-timeout", 60000, 5000)
SYNCS = SettingOverride("sentinel", SENTINELS[2], "parallel-syncs", 1, 3)
ALL = [PRIORITY, PERIOD, TIMEOUT, SYNCS]
IDS = [override.setting for override in ALL]


def changed(*overrides: SettingOverride) -> Deployment:
    """Return a deployment in which these overrides are in place."""
    deployment = Deployment()
    servers = deployment.servers()
    for override in overrides:
        override.server(servers).command(*override.words(override.temporary, NAME))
    return deployment


@pytest.mark.parametrize("override", ALL, ids=IDS)
def test_it_is_made_and_put_back(override: SettingOverride) -> None:
    deployment = Deployment()
    servers, before = deployment.servers(), deployment.settings()
    assert override.now(servers, NAME) == override.original
    override.server(servers).command(*override.words(override.temporary, NAME))
    assert override.now(servers, NAME) == override.temporary
    assert deployment.settings() != before
    assert restore_overrides(servers, NAME, [override]) == []
    assert override.now(servers, NAME) == override.original
    assert deployment.settings() == before


@pytest.mark.parametrize("override", ALL, ids=IDS)
def test_it_can_be_written_down(override: SettingOverride) -> None:
    assert SettingOverride.from_dict(json.loads(json.dumps(override.as_dict()))) == override


def test_a_note_of_a_later_version_says_more() -> None:
    assert SettingOverride.from_dict({**PRIORITY.as_dict(), "why": "something new"}) == PRIORITY


def test_the_nodes_save_what_was_put_back() -> None:
    deployment = changed(PRIORITY)
    deployment.target.command("CONFIG", "REWRITE")
    restore_overrides(deployment.servers(), NAME, [PRIORITY], MASTER, TARGET)
    assert deployment.target.saved_config["replica-priority"] == "100"
    assert [len(deployment.wire.begins(address, "CONFIG REWRITE")) for address in (MASTER, TARGET, OTHER)] == [1, 2, 0]


def test_everything_is_put_back_also_after_a_refusal() -> None:
    deployment = changed(*ALL)
    deployment.sentinels[1].refuses["SENTINEL SET"] = repeat("ERR no")
    deployment.target.refuses["CONFIG REWRITE"] = repeat("NOPERM no")
    failed = restore_overrides(deployment.servers(), NAME, ALL)
    assert [text.split(":", 2)[0] + text.partition("(")[2].partition(")")[0] for text in failed] == [
        "not restored on 10.0.0.2SENTINEL SET mymaster failover-timeout 60000",
        "not restored on 10.0.0.2CONFIG REWRITE",
    ]
    assert [override.now(deployment.servers(), NAME) for override in ALL] == [100, 10000, 5000, 1]


@pytest.mark.parametrize("override", ALL, ids=IDS)
def test_a_connection_that_breaks_once_does_not_matter(override: SettingOverride) -> None:
    deployment = changed(override)
    servers = deployment.servers()
    vars(override.server(servers)).update(connection_lost=True)
    assert restore_overrides(servers, NAME, [override]) == []
    assert override.now(servers, NAME) == override.original


def test_a_server_that_is_gone_does_not_keep_the_others() -> None:
    deployment = changed(*ALL)
    deployment.sentinels[0].alive = False
    failed = restore_overrides(deployment.servers(), NAME, ALL)
    assert ["SENTINEL DEBUG INFO-PERIOD 10000" in text for text in failed] == [True]
    assert deployment.target.config["replica-priority"] == "100"


# -- what is still changed


def test_what_is_still_changed() -> None:
    deployment = changed(PRIORITY, SYNCS)
    assert still_overridden(deployment.servers(), NAME, ALL) == [PRIORITY, SYNCS]


def test_what_somebody_has_set_since_is_theirs() -> None:
    deployment = changed(*ALL)
    deployment.target.config["replica-priority"] = "50"
    deployment.sentinels[1].failover_timeout_ms = 30000
    assert still_overridden(deployment.servers(), NAME, ALL) == [PERIOD, SYNCS]


def test_what_was_never_other_than_before_is_not_changed() -> None:
    assert still_overridden(changed().servers(), NAME, [SettingOverride("node", TARGET, "replica-priority", 100, 100)]) == []


def test_a_server_that_is_gone_has_nothing_that_could_be_put_back_now() -> None:
    deployment = changed(*ALL)
    deployment.target.alive = deployment.sentinels[0].alive = False
    assert still_overridden(deployment.servers(), NAME, ALL) == [TIMEOUT, SYNCS]


def test_a_sentinel_that_is_no_more() -> None:
    gone = SettingOverride("sentinel", "10.0.0.9:26379", "failover-timeout", 60000, 5000)
    assert still_overridden(changed().servers(), NAME, [gone]) == []


def test_a_node_that_is_no_more() -> None:
    assert still_overridden(changed().servers(), NAME, [SettingOverride("node", "10.0.0.9:6379", "replica-priority", 100, 1)]) == []


def test_a_sentinel_that_does_not_tell_its_period() -> None:
    sentinel = Deployment(has_debug=False).sentinels[0]
    with pytest.raises(CommandRefused):
        info_period_ms(sentinel)


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("node", "dir"),
        ("node", "requirepass"),
        ("sentinel", "notification-script"),
        ("sentinel", "replica-priority"),
        ("host", "info-period"),
    ],
)
def test_an_undo_file_cannot_name_any_setting(kind: str, setting: str) -> None:
    with pytest.raises(PreconditionFailed, match=f"names the setting {setting} of a {kind}, which no handover changes"):
        SettingOverride.from_dict({**PRIORITY.as_dict(), "kind": kind, "setting": setting})


def test_an_undo_file_cannot_smuggle_words() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        SettingOverride.from_dict({**PRIORITY.as_dict(), "original": "1 appendonly no"})
