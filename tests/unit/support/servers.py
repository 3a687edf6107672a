"""Servers in memory: what a fake data node and a fake Sentinel have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from ansible_collections.sentinelops.redis.plugins.module_utils._address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import AccessDenied, CommandRefused, ConnectionFailed
from ansible_collections.sentinelops.redis.tests.unit.support.clock import FakeClock

COMMAND_TAKES_S = 0.001


@dataclass(frozen=True)
class Sent:
    """A command that reached a server."""

    node: str
    text: str
    at_s: float


class Killed(BaseException):
    """Whoever sends a command is dead: whatever it still tries (in a finally, say) does not come about."""


class Wire:
    """Every command to every server, in order.

    ``accidents``: what happens at the n-th command, also to a server that is dead: the connection is lost ``before`` or
    ``after`` it has run, the server ``dies``, or the sender is ``killed`` before that command or ``killed after`` it.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.sent: list[Sent] = []
        self.nodes: dict[str, Any] = {}
        self.tried: list[str] = []
        self.accidents: dict[int, str] = {}
        self.sender_is_dead = False

    def __deepcopy__(self, _memo: object) -> Wire:
        return self  # whoever forks shares the world

    def accident(self, node: str, text: str) -> str:
        """What is to happen at this command."""
        self.tried.append(f"{node}: {text}")
        return self.accidents.get(len(self.tried) - 1, "")

    def note(self, node: str, text: str) -> None:
        self.sent.append(Sent(node, text, self.clock.now_s()))

    def changing(self) -> list[str]:
        """``node: command`` of all that were sent to change something."""
        return [f"{sent.node}: {sent.text}" for sent in self.sent if not _only_reads(sent.text)]

    def begins(self, node: str, text: str) -> list[int]:
        """The positions of the commands to a node whose first words are ``text``."""
        return [at for at, sent in enumerate(self.sent) if sent.node == node and f"{sent.text} ".startswith(f"{text} ")]


def _only_reads(text: str) -> bool:
    reads = ("INFO", "ROLE", "PING", "CONFIG GET", "SENTINEL MASTER", "SENTINEL REPLICAS", "SENTINEL SENTINELS")
    return text.startswith((*reads, "SENTINEL CKQUORUM", "SENTINEL GET-MASTER-ADDR-BY-NAME")) or text == "SENTINEL DEBUG"


class FakeServer:
    """Answers commands with the methods ``do_<first word>``. It may be dead, or refuse; both can be set at any time.

    ``refuses`` maps the beginning of a command to the error replies that it gets, one after the other, ``before`` to
    something to do first, once, when such a command comes. The connection may be lost: ``connection_lost`` before the
    next command runs, ``loses_answers`` once after a command that begins so has run.
    """

    def __init__(self, address: str, wire: Wire) -> None:
        self.address = Address.parse(address)
        self.name = address
        self.wire = wire
        self.clock = wire.clock
        self.alive = True
        self.refuses: dict[str, Iterator[str]] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.connection_lost = False
        self.loses_answers: set[str] = set()
        self._queued: list[tuple[Any, ...]] | None = None

    def __deepcopy__(self, _memo: object) -> FakeServer:
        return self  # whoever forks shares the world

    def command(self, *words: Any) -> Any:
        self.clock.pass_s(COMMAND_TAKES_S)
        text = " ".join(map(str, words))
        for beginning in [beginning for beginning in self.before if text.startswith(beginning)]:
            self.before.pop(beginning)()
        if self.wire.sender_is_dead:
            raise Killed
        accident = self.wire.accident(self.name, text)
        self._suffer(accident, text)
        if not self.alive:
            raise ConnectionFailed(f"no answer to {words[0]}: connection refused", node=str(self.address), sent=False, refused=True)
        if self.connection_lost:
            self.connection_lost = False
            self.lose_the_answer(words)
        self.wire.note(self.name, text)
        for beginning, replies in self.refuses.items():
            reply = next(replies, "") if text.startswith(beginning) else ""
            if reply:
                self._refuse(words, reply)
        reply = self._transacted(words)
        if accident == "killed after":
            self._kill_the_sender()
        for beginning in [beginning for beginning in self.loses_answers if text.startswith(beginning)]:
            self.loses_answers.remove(beginning)
            self.lose_the_answer(words)
        return reply

    def close(self) -> None:
        self._queued = None

    def _kill_the_sender(self) -> NoReturn:
        self.wire.sender_is_dead = True
        raise Killed

    def _suffer(self, accident: str, text: str) -> None:
        if accident == "killed":
            self._kill_the_sender()
        elif accident == "dies":
            self.alive = False
        elif accident == "before":
            self.connection_lost = True
        elif accident == "after":
            self.loses_answers.add(text)

    def lose_the_answer(self, words: tuple[Any, ...]) -> NoReturn:
        raise ConnectionFailed(f"no answer to {words[0]}: connection closed by server", node=str(self.address), sent=True)

    def _refuse(self, words: tuple[Any, ...], reply: str) -> NoReturn:
        if reply.startswith("NOPERM"):
            raise AccessDenied(f"{words[0]}: {reply}", node=str(self.address))
        raise CommandRefused(reply, node=str(self.address), command=str(words[0]))

    def _transacted(self, words: tuple[Any, ...]) -> Any:
        if words[0] == "MULTI":
            self._queued = []
            return "OK"
        if words[0] == "EXEC":
            queued, self._queued = self._queued or [], None
            return [self._done(one) for one in queued]
        if self._queued is not None:
            self._queued.append(words)
            return "QUEUED"
        return self._done(words)

    def _done(self, words: tuple[Any, ...]) -> Any:
        return getattr(self, f"do_{words[0].lower()}")(*words[1:])
