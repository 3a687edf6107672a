"""Settings with another default: which are told, and that not knowing them stops nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused, ConnectionFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._instance import other_defaults as module
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.other_defaults import other_defaults, other_defaults_text

NOW = {
    "dir": "/data",
    "aclfile": "",
    "hz": "10",
    "lazyfree-lazy-user-del": "no",
    "port": "6379",
    "bind": "10.0.0.1",
    "requirepass": "secret",
    "slave-lazy-flush": "no",
    "replica-lazy-flush": "no",
    "gone": "yes",
    "syslog-ident": "redis",
    "proc-title-template": "",
}
THEN = {
    **NOW,
    "lazyfree-lazy-user-del": "yes",
    "port": "0",
    "bind": "",
    "requirepass": "",
    "slave-lazy-flush": "yes",
    "replica-lazy-flush": "yes",
    "proc-title-template": "{title}",
    "new": "1",
}
del THEN["gone"]
TRIAL = {"version": "8.0.1"}


class Running:
    """A server that answers INFO and CONFIG GET, or refuses."""

    def __init__(self, settings: dict[str, str], refuses: Exception | None = None) -> None:
        self.settings, self.refuses = settings, refuses
        self.asked: list[str] = []

    def command(self, *words: Any) -> Any:
        self.asked.append(words[0])
        if words[0] == "INFO":
            return "redis_version:7.0.15\r\n"
        if self.refuses:
            raise self.refuses
        return [word for pair in self.settings.items() for word in pair]


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the server on trial answer with THEN; return the visits."""
    found: list[Any] = []

    def attempt(_trial: Any, visit: Any) -> None:
        found.append(visit)
        visit.reply = [word for pair in THEN.items() for word in pair]

    monkeypatch.setattr(module, "attempt", attempt)
    return found


@pytest.mark.usefixtures("visits")
def test_a_default_that_differs_is_told_once_and_no_secret() -> None:
    assert other_defaults(Running(NOW), TRIAL) == [
        {"name": "lazyfree-lazy-user-del", "running": "no", "new": "yes"},
        {"name": "proc-title-template", "running": "", "new": "{title}"},
        {"name": "replica-lazy-flush", "running": "no", "new": "yes"},
    ]


@pytest.mark.parametrize(("acl_file", "path"), [("", ""), ("users.acl", "/data/users.acl"), ("/etc/users.acl", "/etc/users.acl")])
def test_users_of_a_file_are_tried_with_it(visits: list[Any], acl_file: str, path: str) -> None:
    other_defaults(Running({**NOW, "aclfile": acl_file}), TRIAL)
    assert visits[0]._acl_file == path


def test_within_a_release_line_nothing_is_asked(visits: list[Any]) -> None:
    running = Running(NOW)
    assert other_defaults(running, {"version": "7.0.16"}) == []
    assert (running.asked, visits) == (["INFO"], [])


@pytest.mark.usefixtures("visits")
@pytest.mark.parametrize(
    "error", [CommandRefused("NOPERM", node="n", command="CONFIG"), ConnectionFailed("no answer", node="n", sent=True)]
)
def test_a_server_that_cannot_be_asked_stops_nothing(error: Exception) -> None:
    assert other_defaults(Running(NOW, error), TRIAL) == []


def test_a_trial_that_fails_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(_trial: Any, visit: Any) -> None:
        raise PreconditionFailed("the server on trial does not accept its user")

    monkeypatch.setattr(module, "attempt", attempt)
    assert other_defaults(Running(NOW), TRIAL) == []


def test_the_text() -> None:
    text = other_defaults_text("8.0.1", [{"name": "a", "running": "no", "new": "yes"}, {"name": "b", "running": "", "new": "x"}])
    assert text.startswith("8.0.1 has other defaults for settings that the configuration does not name: a no -> yes, b empty -> x. ")
    assert text.endswith("now or after the upgrade")
