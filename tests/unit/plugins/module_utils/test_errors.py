"""Errors as sentences, and as what a module returns."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import (
    CommandRefused,
    ConnectionFailed,
    OperationFailed,
    SentinelOpsError,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SentinelOpsError("it failed"), "it failed."),
        (SentinelOpsError("it failed."), "it failed."),
        (SentinelOpsError("who is it?", advice="Look!"), "who is it? Look!"),
        (SentinelOpsError("it failed", node="10.0.0.1:6379"), "10.0.0.1:6379: it failed."),
        (
            OperationFailed("it failed", node="10.0.0.1:6379", state="It serves", advice="Run again"),
            "10.0.0.1:6379: it failed. It serves. Run again.",
        ),
        (ConnectionFailed("no answer", node="10.0.0.1:6379", sent=True), "10.0.0.1:6379: no answer."),
        (
            CommandRefused("LOADING Redis is loading", node="10.0.0.1:6379", command="GET"),
            "10.0.0.1:6379: GET was answered with: LOADING Redis is loading.",
        ),
    ],
)
def test_sentence(error: SentinelOpsError, text: str) -> None:
    assert str(error) == text
    assert error.as_result()["msg"] == text


def test_a_result_has_what_is_known_and_nothing_else() -> None:
    assert SentinelOpsError("it failed").as_result() == {"msg": "it failed."}
    full = OperationFailed("it failed", node="10.0.0.1:6379", state="It serves", advice="Run again", log_tail=["a"]).as_result()
    assert full == {
        "msg": "10.0.0.1:6379: it failed. It serves. Run again.",
        "node": "10.0.0.1:6379",
        "state_now": "It serves",  # 'state' is an option of some modules
        "advice": "Run again",
        "log_tail": ["a"],
    }


def test_a_refusal_keeps_the_reply_and_the_command() -> None:
    refused = CommandRefused("READONLY You can't write", node="10.0.0.1:6379", command="SET")
    assert (refused.reply, refused.command) == ("READONLY You can't write", "SET")
    assert refused.as_result()["reply"] == "READONLY You can't write"


@pytest.mark.parametrize("sent", [True, False])
def test_a_lost_connection_tells_whether_the_command_was_sent(sent: bool) -> None:
    error = ConnectionFailed("gone", node="10.0.0.1:6379", sent=sent)
    assert (error.sent, error.refused) == (sent, False)
