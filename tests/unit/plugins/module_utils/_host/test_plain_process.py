"""Plain processes as the service manager: outputs of a started server, and refused limits."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process_facts import Output, ProcessFacts, facts_of
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Process, ProcessAttempt, Start

PRINTS = "#!/bin/sh\nreadlink /proc/$$/fd/1 /proc/$$/fd/2; echo to errors >&2; sleep 60\n"
OURS = (os.geteuid(), os.getegid())


class Program:
    """A program that prints what it prints to."""

    def __init__(self, path: Path, config: str) -> None:
        self.path, self.program, self.config = path, path / "redis-server", path / "redis.conf"
        self.program.write_text(PRINTS)
        self.program.chmod(0o755)
        self.config.write_text(config)

    def output(self, name: str) -> Output:
        (self.path / name).write_text("before\n")
        found = (self.path / name).stat()
        return Output(str(self.path / name), found.st_dev, found.st_ino)

    def start(self, stdout: Output | None, stderr: Output | None) -> tuple[str, list[str]]:
        """Return what the program printed, and the files behind its outputs."""
        attempt = Process(ProcessFacts(*OURS, stdout=stdout, stderr=stderr)).start(Start(str(self.program), str(self.config), False))
        try:
            return self._printed(attempt)
        finally:
            attempt.end()

    @staticmethod
    def _printed(attempt: ProcessAttempt) -> tuple[str, list[str]]:
        while "to errors" not in attempt.printed():
            assert not attempt.failure()
        pid = attempt._started.process.pid
        return attempt.printed(), [os.readlink(f"/proc/{pid}/fd/{number}") for number in (1, 2)]


def test_files_are_opened_again(tmp_path: Path) -> None:
    program = Program(tmp_path, "logfile ''\n")
    printed, files = program.start(program.output("out"), program.output("err"))
    assert files == [str(tmp_path / "out"), str(tmp_path / "err")]
    assert "before" not in printed
    assert (tmp_path / "err").read_text() == "before\nto errors\n"


def test_one_file_for_both(tmp_path: Path) -> None:
    program = Program(tmp_path, "logfile ''\n")
    output = program.output("out")
    assert program.start(output, output)[1] == [str(tmp_path / "out")] * 2


@pytest.mark.parametrize(
    ("config", "hidden"),
    [("logfile ''\n", True), ("", True), ("logfile /var/log/redis.log\n", False), ("logfile ''\ndaemonize yes\n", False)],
)
@pytest.mark.parametrize("before", [None, Output("pipe:[1]"), Output("/dev/null")])
def test_a_log_that_nobody_sees_does_not_fill_a_disk(tmp_path: Path, config: str, hidden: bool, before: Output | None) -> None:
    _printed, (output, errors) = Program(tmp_path, config).start(before, before)
    assert (output == "/dev/null") == hidden
    assert "(deleted)" in errors


def test_what_a_server_says_on_standard_error_is_printed(tmp_path: Path) -> None:
    program = Program(tmp_path, "")
    printed, _files = program.start(None, None)
    assert printed == "to errors"


def test_a_limit_that_cannot_be_given() -> None:
    ours = facts_of(os.getpid())
    assert ours is not None
    Process(ours).require_startable("redis-server", path_changes=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    higher = Process(ProcessFacts(*OURS, limits={"nofile": (hard + 2, hard + 2)}))
    if hard == resource.RLIM_INFINITY or not (higher.facts and higher.facts.impossible()):
        pytest.skip("this process may raise its limits")
    with pytest.raises(PreconditionFailed, match=rf"limit of open files \({hard} instead of {hard + 2}\)"):
        higher.require_startable("redis-server", path_changes=False)
    other = Process(ProcessFacts(*OURS, limits={"nofile": (hard, hard + 2)}))
    other.require_startable("redis-server", path_changes=False)
