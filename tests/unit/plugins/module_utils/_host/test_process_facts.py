"""The facts of a running process, and giving them to another one."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import start_detached
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process_facts import (
    Output,
    ProcessFacts,
    facts_of,
    limits_from,
    lower_limits,
    process_facts_from,
)

NO_SUCH_PID = 2**22 + 1  # beyond the largest pid of Linux
OURS = (os.geteuid(), os.getegid())
SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
# of redis-server 7.0.15, on Debian 12, after it has raised its limit of open files
LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    unlimited            bytes     
Max open files            10032                10032                files     
Max locked memory         8388608              8388608              bytes     
Max nice priority         0                    0                    
Max realtime timeout      unlimited            unlimited            us        
Max of another kernel     1                    1                    us        
"""  # noqa: W291 as the kernel writes it


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with other facts than this one."""

    def set_up() -> None:
        os.umask(0o027)
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        Path("/proc/self/oom_score_adj").write_text("700", encoding="ascii")
        resource.setrlimit(resource.RLIMIT_NOFILE, (111, 222))

    with (tmp_path / "out").open("wb") as output:
        words = ["sleep", "60"]
        started = subprocess.Popen(
            words,
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.PIPE,
            preexec_fn=set_up,  # noqa: PLW1509
        )
    yield started
    started.kill()
    started.communicate()


def test_the_limits_that_the_kernel_writes() -> None:
    assert limits_from(LIMITS) == {
        "cpu": (-1, -1),
        "stack": (8388608, -1),
        "core": (0, -1),
        "nofile": (10032, 10032),
        "memlock": (8388608, 8388608),
        "nice": (0, 0),
        "rttime": (-1, -1),
    }


def test_every_limit_of_this_kernel_is_known() -> None:
    text = Path("/proc/self/limits").read_text(encoding="ascii")
    assert len(limits_from(text)) == len(text.splitlines()) - 1


def test_the_facts_of_a_process(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    facts = facts_of(process.pid)
    assert facts is not None
    assert (facts.uid, facts.gid, set(facts.groups or ())) == (*OURS, set(os.getgroups()))
    assert (facts.folder, facts.umask, facts.nice, facts.oom_score_adj) == (str(tmp_path), 0o027, 19, 700)
    assert facts.limits["nofile"] == (111, 222)
    assert facts.stdout is not None
    assert facts.stderr is not None
    assert (facts.stdout.path, facts.stdout.is_lost, facts.stderr.is_lost) == (str(tmp_path / "out"), False, True)
    assert process_facts_from(json.loads(json.dumps(facts.as_dict()))) == facts


def test_a_process_that_is_gone() -> None:
    assert facts_of(NO_SUCH_PID) is None
    assert process_facts_from(None) is None


def test_options_that_are_not_given() -> None:
    given = {"uid": 1, "gid": 2, "groups": None, "folder": None, "limits": None, "stdout": None}
    assert process_facts_from(given) == ProcessFacts(1, 2)


def test_a_program_is_started_as_the_process_was(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    facts = facts_of(process.pid)
    assert facts is not None
    assert facts.impossible() == []
    with (tmp_path / "out").open("w+b") as output:
        started = start_detached(["sleep", "60"], facts.start_folder(""), output, facts.owner, prepare=facts.preparation(""))
    try:
        again = facts_of(started.process.pid)
        assert again is not None
        assert {**again.as_dict(), "stderr": None} == {**facts.as_dict(), "stderr": None}
    finally:
        started.end()


def test_a_server_that_sets_its_own_oom_score(tmp_path: Path) -> None:
    """With ``relative``, a score that the server has set would be added again."""
    config = tmp_path / "redis.conf"
    config.write_text("oom-score-adj relative\n")
    script = "import sys; from pathlib import Path; print(Path('/proc/self/oom_score_adj').read_text().strip())"
    for path, expected in ((str(config), Path("/proc/self/oom_score_adj").read_text(encoding="ascii").strip()), ("", "900")):
        with (tmp_path / "out").open("w+b") as output:
            prepare = ProcessFacts(*OURS, oom_score_adj=900).preparation(path)
            started = start_detached([sys.executable, "-c", script], "/", output, prepare=prepare)
            started.process.wait()
            assert started.printed() == expected


def test_a_limit_that_cannot_be_raised(tmp_path: Path) -> None:
    """A process without the right gets as much as it may have."""
    if HARD == resource.RLIM_INFINITY:
        pytest.skip("the limit of this session is unlimited")
    facts = ProcessFacts(*OURS, limits={"nofile": (HARD + 2, HARD + 2)})
    problems = facts.impossible()
    if not problems:
        pytest.skip("this process may raise its limits")
    assert problems == [f"limit nofile {HARD} instead of {HARD + 2}"]
    with (tmp_path / "out").open("w+b") as output:
        started = start_detached(["/bin/sh", "-c", "ulimit -Sn; ulimit -Hn"], "/", output, prepare=facts.preparation(""))
        started.process.wait()
        assert started.printed().split() == [str(HARD)] * 2
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (SOFT, HARD), "only a child process has tried"


@pytest.mark.parametrize(
    ("before", "after", "lower"),
    [
        ((1024, 4096), (1024, 4096), []),
        ((1024, 4096), (4096, 4096), []),
        ((1024, 4096), (1024, 1024), ["hard nofile 1024 instead of 4096"]),
        ((10032, 10032), (1024, 1024), ["nofile 1024 instead of 10032"]),
        ((-1, -1), (10, -1), ["nofile 10 instead of unlimited"]),
        ((10, 10), (-1, -1), []),
    ],
)
def test_lower_limits(before: tuple[int, int], after: tuple[int, int], lower: list[str]) -> None:
    assert lower_limits({"nofile": before, "core": (1, 1)}, {"nofile": after}) == lower


# -- files


def test_only_the_same_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    found = path.stat()
    output = Output(str(path), found.st_dev, found.st_ino)
    opened = output.open()
    assert opened is not None
    with opened:
        opened.write(b"after\n")
    assert path.read_text() == "before\nafter\n"
    path.rename(tmp_path / "log.1")
    assert output.open() is None, "it is gone"
    path.write_text("another file\n")
    assert output.open() is None
    path.unlink()
    path.symlink_to(tmp_path / "log.1")
    assert output.open() is None, "a link leads to it"
    assert path.read_text() == "before\nafter\n"


@pytest.mark.parametrize(("path", "lost"), [("/dev/null", False), ("/dev/pts/0", True), ("pipe:[1]", True), ("/log (deleted)", True)])
def test_outputs_that_are_no_file(path: str, lost: bool) -> None:
    assert (Output(path).is_lost, Output(path).open()) == (lost, None)


@pytest.mark.parametrize(
    ("lines", "folder"),
    [
        ("", "data"),
        ("dir ./\n", "data"),
        ("dir {base}/data\n", "conf"),
        ("dir {base}/elsewhere\n", "data"),
        ("dir data\n", ""),
        ("dir {base}/data\ninclude beside.conf\n", "conf"),
        ("dir {base}/data\ninclude common.conf\n", "data"),
        ("dir {base}/data\ninclude /etc/common.conf\n", "conf"),
    ],
)
def test_the_folder_in_which_a_server_was_started(tmp_path: Path, lines: str, folder: str) -> None:
    """The process is in ``data``, its configuration file in ``conf``."""
    for name in ("data", "conf"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "common.conf").touch()
    (tmp_path / "conf" / "beside.conf").touch()
    config = tmp_path / "conf" / "redis.conf"
    config.write_text(lines.format(base=tmp_path))
    process = subprocess.Popen(["sleep", "60"], cwd=tmp_path / "data")
    try:
        facts = facts_of(process.pid, str(config))
    finally:
        process.kill()
        process.wait()
    assert facts is not None
    assert facts.folder == str(tmp_path / folder)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    assert ProcessFacts(*OURS, folder=str(tmp_path / "gone")).start_folder("/etc/redis/redis.conf") == "/etc/redis"
    assert ProcessFacts(*OURS).start_folder("/etc/redis/redis.conf") == "/etc/redis"
