"""Servers in memory: the base of a fake data node and a fake Sentinel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import (
    AccessDenied,
    CommandRefused,
    ConnectionFailed,
    SentinelOpsError,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock

COMMAND_TAKES_S = 0.001
PROBE = "SENTINEL FAILOVER no-such-master-of-sentinelops"
READS = (
    *(
        "INFO",
        "PING",
        "COMMAND INFO",
        "CONFIG GET",
        "CLIENT LIST",
        "ACL DRYRUN",
        "SENTINEL MASTER",
        "SENTINEL REPLICAS",
        "SENTINEL SENTINELS",
    ),
    *("SENTINEL CKQUORUM", "SENTINEL GET-MASTER-ADDR-BY-NAME"),
)


class Sent(NamedTuple):
    """A command that a server ran, or refused to run."""

    node: str
    text: str
    at_s: float


@dataclass(frozen=True)
class Occasion:
    """An accident at the n-th command that a process tries to send."""

    position: int
    command: str
    accident: str

    def __str__(self) -> str:
        return f"{self.accident} {self.position} {self.command}"


class Killed(BaseException):
    """The death of the process that sends commands.

    Its further commands, in a ``finally`` for example, have no effect.
    """


class Wire:
    """All commands to all servers, in order.

    ``sent`` has the commands that ran. ``tried`` has all commands that a process wanted to
    send, also if they were only queued in a transaction, or if the server was dead.
    ``accidents`` maps positions in ``tried`` to accidents: the connection is lost ``before`` or
    ``after`` the command runs, the server ``dies``, or ``freezes`` or ``is out of reach`` for
    ``moment_s``, or the sender is ``killed`` before the command or ``killed after`` it.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.sent: list[Sent] = []
        self.nodes: dict[str, Any] = {}
        self.tried: list[str] = []
        self.accidents: dict[int, str] = {}
        self.sender_is_dead = False
        self.moment_s = 1.0

    def __deepcopy__(self, _memo: object) -> Wire:
        return self  # a fork shares the same deployment

    def accident(self, node: str, text: str) -> str:
        """Record the command, and return the accident that is planned for it."""
        self.tried.append(f"{node}: {text}")
        return self.accidents.get(len(self.tried) - 1, "")

    def occasions(self, begin: str, before: str = "", after: str = "") -> list[Occasion]:
        """Return the commands from ``begin`` on at which an accident makes a difference.

        A command that is repeated before anything has changed counts once. The accident
        ``before`` is planned for every command, ``after`` only for commands that change
        something.
        """
        found: list[Occasion] = []
        seen: set[str] = set()
        first = next(position for position, command in enumerate(self.tried) if f"{begin} " in f"{command} ")
        for position, command in enumerate(self.tried[first:], first):
            reads = _only_reads(command.partition(": ")[2])
            if not reads:
                seen.clear()
            if command not in seen:
                seen.add(command)
                accidents = [before] if reads else [before, after]
                found += [Occasion(position, command, accident) for accident in accidents if accident]
        return found

    def plan(self, occasion: Occasion | None) -> None:
        if occasion:
            self.accidents[occasion.position] = occasion.accident

    def note(self, node: str, text: str) -> None:
        self.sent.append(Sent(node, text, self.clock.now_s()))

    def changing(self) -> list[str]:
        """Return ``node: command`` of all commands that may change something."""
        return [f"{sent.node}: {sent.text}" for sent in self.sent if not _only_reads(sent.text)]

    def begins(self, node: str, text: str) -> list[int]:
        """Return the positions of the commands to a node whose first words are ``text``."""
        return [
            at for at, sent in enumerate(self.sent) if sent.node == node and sent.text != PROBE and f"{sent.text} ".startswith(f"{text} ")
        ]


def _only_reads(text: str) -> bool:
    return text.startswith(READS) or text in ("SENTINEL DEBUG", PROBE) or "no-such-" in text


class Replies:
    """An iterator of error replies whose next reply can be looked at; empty for no error."""

    def __init__(self, replies: Iterator[str]) -> None:
        self._replies = replies
        self._ahead: list[str] = []

    def __iter__(self) -> Replies:
        return self

    def __next__(self) -> str:
        return self._ahead.pop() if self._ahead else next(self._replies, "")

    def peek(self) -> str:
        self._ahead = [next(self)]
        return self._ahead[0]


class ErrorReply(Exception):
    """The error that a client library returns in place of a failed command's reply in EXEC."""


class FakeServer:
    """A server that answers commands with its methods ``do_<first word>``.

    Tests can set at any time: ``alive``; ``refuses``, which maps the beginning of a command to
    error replies, one after the other; and ``before``, which maps it to an action that runs
    once before such a command.

    The connection can be lost: ``connection_lost`` before the next command runs,
    ``loses_answers`` once after a command with that beginning has run.
    ``out_of_reach_until_s``: this process cannot reach the server. ``frozen_until_s``: the
    server does nothing and answers nobody, and runs later what it received, also for clients
    that no longer wait.

    A command in a transaction arrives, and is refused, when the transaction runs; but a missing
    right (NOPERM) is told as soon as the command is queued.
    """

    def __init__(self, address: str, wire: Wire) -> None:
        self.address = Address.parse(address)
        self.name = address
        self.wire = wire
        self.clock = wire.clock
        self.alive = True
        self.takes_s = COMMAND_TAKES_S
        self.timeout_ms = 5000
        self.out_of_reach_until_s = 0.0
        self.frozen_until_s = 0.0
        self.refuses: dict[str, Iterator[str]] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.connection_lost = False
        self.loses_answers: set[str] = set()
        self._queued: list[tuple[Any, ...]] | None = None

    def __deepcopy__(self, _memo: object) -> FakeServer:
        return self  # a fork shares the same deployment

    def set_timeout(self, timeout_ms: int) -> None:
        assert timeout_ms > 0, "a socket takes no other timeout"
        self.timeout_ms = timeout_ms
        self.close()

    def close(self) -> None:
        self._queued = None

    def command(self, *words: Any) -> Any:
        self.clock.pass_s(self.takes_s)
        text = _text(words)
        runs = text != PROBE and (self._queued is None or words[0] == "EXEC")
        if runs and self.before:
            self._happen_before(text)
        if self.wire.sender_is_dead:
            raise Killed
        accident = self.wire.accident(self.name, text)
        if accident == "killed":
            self._kill_the_sender()
        self.alive = self.alive and accident != "dies"
        if accident == "is out of reach":
            self.out_of_reach_until_s = self.clock.now_s() + self.wire.moment_s
        if self.out_of_reach_until_s > self.clock.now_s():
            self.close()
            raise ConnectionFailed(f"no answer to {words[0]}: No route to host", node=str(self.address), sent=False)
        if not self.alive:
            self.close()
            raise ConnectionFailed(f"no answer to {words[0]}: connection refused", node=str(self.address), sent=False, refused=True)
        if self.connection_lost or accident == "before":
            self.connection_lost = False
            self.lose_the_answer(words)
        if accident == "freezes":
            self.frozen_until_s = self.clock.now_s() + self.wire.moment_s
        self._await_thaw(words)
        if self.refuses:
            self._deny(words, text)
        reply = self._answered(words, text, runs)
        if accident == "killed after":
            self._kill_the_sender()
        if accident == "after":
            self.lose_the_answer(words)
        return reply

    def _answered(self, words: tuple[Any, ...], text: str, runs: bool) -> Any:
        """Run or queue a command that has arrived, and return the reply."""
        if words[0] == "MULTI":
            self._refuse_if_told_to(words, text)
            self._queued = []
            return "OK"
        if self._queued is not None and not runs:
            self._queued.append(words)
            return "QUEUED"
        if words[0] == "EXEC":
            return self._transacted(self._queued or [])
        self.wire.note(self.name, text)
        if runs and self.refuses:
            self._refuse_if_told_to(words, text)
        reply = self._done(words)
        if self.loses_answers:
            self._lose_answers_to(words, text)
        return reply

    def _transacted(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        self.close()
        for text in ("MULTI", *map(_text, commands), "EXEC") if commands else ():
            self.wire.note(self.name, text)
        for words in commands:
            self._happen_before(_text(words))
        if self.out_of_reach_until_s > self.clock.now_s():
            self.lose_the_answer(("EXEC",))
        self._refuse_if_told_to(("EXEC",), "EXEC")
        replies = [self._executed(words) for words in commands]
        for words in [*commands, ("EXEC",)]:
            self._lose_answers_to(words, _text(words))
        return replies

    def _executed(self, words: tuple[Any, ...]) -> Any:
        if self.wire.sender_is_dead:
            raise Killed
        if not self.alive:
            self.lose_the_answer(words)
        try:
            self._refuse_if_told_to(words, _text(words))
            return self._done(words)
        except CommandRefused as refused:
            return ErrorReply(refused.reply)

    def _done(self, words: tuple[Any, ...]) -> Any:
        return getattr(self, f"do_{words[0].lower()}")(*words[1:])

    def do_ping(self) -> str:
        return "PONG"

    def do_shutdown(self, *options: str) -> NoReturn:
        assert options == ("no-such-option-of-sentinelops",), "nothing here shuts a server down"
        self._refuse(("SHUTDOWN",), "ERR syntax error")

    # -- what may come between

    @property
    def frozen(self) -> bool:
        return self.frozen_until_s > self.clock.now_s()

    def _await_thaw(self, words: tuple[Any, ...]) -> None:
        left_s = self.frozen_until_s - self.clock.now_s()
        if left_s <= 0:
            return
        self.clock.pass_s(min(left_s, self.timeout_ms / 1000))
        if self.frozen:
            queued = self._queued
            self.clock.at(self.frozen_until_s - self.clock.now_s(), lambda: self._do_late(words, queued))
            self.close()
            raise ConnectionFailed(f"no answer to {words[0]}: Timeout reading from socket", node=str(self.address), sent=True)

    def _do_late(self, words: tuple[Any, ...], queued: list[tuple[Any, ...]] | None) -> None:
        """Run a command whose reply nobody receives."""
        mine, self._queued = self._queued, queued
        with contextlib.suppress(SentinelOpsError):
            self._answered(words, _text(words), runs=queued is None or words[0] == "EXEC")
        self._queued = mine

    def _happen_before(self, text: str) -> None:
        for beginning in [beginning for beginning in self.before if text.startswith(beginning)]:
            self.before.pop(beginning)()

    def _replies_to(self, text: str) -> Iterator[Replies]:
        for beginning, replies in self.refuses.items():
            if text.startswith(beginning):
                self.refuses[beginning] = ahead = replies if isinstance(replies, Replies) else Replies(replies)
                yield ahead

    def _deny(self, words: tuple[Any, ...], text: str) -> None:
        """Look the command up and apply the ACL, also for a command that is only queued."""
        for replies in self._replies_to(text):
            if replies.peek().startswith(("NOPERM", "ERR unknown command")):
                self._refuse(words, next(replies))

    def _refuse_if_told_to(self, words: tuple[Any, ...], text: str) -> None:
        for replies in self._replies_to(text):
            reply = next(replies)
            if reply:
                self._refuse(words, reply)

    def _refuse(self, words: tuple[Any, ...], reply: str) -> NoReturn:
        if reply.startswith("NOPERM"):
            self.close()
            raise AccessDenied(f"{words[0]}: {reply}", node=str(self.address))
        raise CommandRefused(reply, node=str(self.address), command=str(words[0]))

    def _kill_the_sender(self) -> NoReturn:
        """End the process that sends, with its connections and their open transactions."""
        self.wire.sender_is_dead = True
        for server in [self, *self.wire.nodes.values()]:
            server.close()
        raise Killed

    def _lose_answers_to(self, words: tuple[Any, ...], text: str) -> None:
        for beginning in [beginning for beginning in self.loses_answers if text.startswith(beginning)]:
            self.loses_answers.remove(beginning)
            self.lose_the_answer(words)

    def lose_the_answer(self, words: tuple[Any, ...]) -> NoReturn:
        self.close()
        raise ConnectionFailed(f"no answer to {words[0]}: connection closed by server", node=str(self.address), sent=True)


def _text(words: tuple[Any, ...]) -> str:
    return " ".join(map(str, words))
