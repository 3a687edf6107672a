"""Units: the unit of a process, and the drop-in that makes a unit start another executable."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._host.unit_files import (
    CgroupUnit,
    ExecStart,
    choose_manager,
    drop_in,
    exec_start,
    expanded,
    is_server_program,
    manager_when_stopped,
    parse_unit,
    unit_in_cgroup,
)
from ansible_collections.sentinelops.redis.tests.unit.support.systemd import CGROUP, FRAGMENT, SHOWN, shown

UNIT = CgroupUnit("redis-server.service", False)
PID = 448


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (CGROUP, UNIT),
        ("0::/system.slice/redis-server.service\n", UNIT),
        ("0::/system.slice/redis-server.service/worker\n", UNIT),
        (r"0::/system.slice/system-redis\x2dserver.slice/redis-server@6380.service", CgroupUnit("redis-server@6380.service", False)),
        (
            "12:pids:/system.slice/redis.service\n1:name=systemd:/system.slice/redis.service\n0::/system.slice/redis.service\n",
            CgroupUnit("redis.service", False),
        ),
        ("1:name=systemd:/system.slice/redis-server.service\n", UNIT),
        ("0::/machine.slice/machine-web.scope/payload/system.slice/redis-server.service\n", UNIT),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
        ("1:name=systemd:/user.slice/user-0.slice/session-1.scope\n0::/user.slice/user-0.slice/session-1.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/redis.service\n", CgroupUnit("redis.service", True)),
        ("0::/system.slice/docker-0123456789ab.scope\n", None),
        ("0::/\n", None),
        ("nonsense\n", None),
        ("", None),
    ],
)
def test_the_unit_in_a_cgroup_file(text: str, unit: CgroupUnit | None) -> None:
    assert unit_in_cgroup(text) == unit


def test_what_systemctl_says() -> None:
    unit = parse_unit(SHOWN)
    assert (unit.name, unit.active, unit.sub, unit.type, unit.main_pid) == ("redis-server.service", "active", "running", "notify", PID)
    assert (unit.program, unit.files, unit.file_state) == (
        "/usr/bin/redis-server",
        ("/lib/systemd/system/redis-server.service",),
        "enabled",
    )
    assert (unit.transient, unit.needs_reload, unit.no_exec, unit.job, unit.restarts) == (False, False, True, "", 0)


def test_what_systemctl_says_of_drop_ins_and_jobs() -> None:
    unit = parse_unit(shown(DropInPaths="/etc/a.conf /etc/b.conf", Job="1234", NoExecPaths=""))
    assert unit.files[1:] == ("/etc/a.conf", "/etc/b.conf")
    assert (unit.job, unit.no_exec) == ("1234", False)


def test_a_unit_that_is_not_there_and_one_with_several_commands() -> None:
    gone = parse_unit("Id=x.service\nLoadState=not-found\nActiveState=inactive\nMainPID=0\n")
    assert (gone.loaded, gone.program, gone.files) == ("not-found", "", ())
    assert parse_unit(SHOWN + "ExecStart={ path=/bin/true ; argv[]=/bin/true ; }\n").program == ""


# -- choosing the manager

CHOICES: list[tuple[str, dict[str, Any], str, str]] = [
    # the setting, the differences, the manager, and a part of the doubt
    ("auto", {}, "systemd", ""),
    ("systemd", {}, "systemd", ""),
    ("process", {}, "process", ""),
    ("command", {}, "command", ""),
    ("auto", {"booted": False, "cgroup": None, "unit": None}, "process", ""),
    ("systemd", {"booted": False, "cgroup": None, "unit": None}, "unclear", "belongs to no unit"),
    ("auto", {"cgroup": None, "unit": None}, "process", ""),
    ("systemd", {"cgroup": None, "unit": None}, "unclear", "belongs to no unit"),
    # started over SSH where PAM makes no session: the server is in ssh.service, which must never be
    # stopped
    ("auto", {"MainPID": 77, "Id": "ssh.service"}, "process", ""),
    ("systemd", {"MainPID": 77, "Id": "ssh.service"}, "unclear", "belongs to no unit"),
    # a script that waits for the server
    ("auto", {"MainPID": 400, "parent": 400}, "unclear", "whose main process is 400"),
    ("systemd", {"MainPID": 400, "parent": 400}, "systemd", ""),
    # a SysV script, or another program that has started the server and ended
    ("auto", {"MainPID": 0}, "unclear", "whose main process is none"),
    ("systemd", {"MainPID": 0}, "systemd", ""),
    ("auto", {"cgroup": CgroupUnit("redis.service", True), "unit": None}, "unclear", "of the systemd of a user"),
    ("auto", {"unit": None, "trouble": "Failed to connect to bus"}, "unclear", "Failed to connect to bus"),
    ("process", {"unit": None, "trouble": "Failed to connect to bus"}, "process", ""),
    ("auto", {"Transient": "yes"}, "systemd", "is transient"),
    ("auto", {"UnitFileState": "masked-runtime"}, "systemd", "is masked"),
    ("auto", {"NeedDaemonReload": "yes"}, "systemd", "has changed on disk"),
]


@pytest.mark.parametrize(("wanted", "changes", "manager", "doubt"), CHOICES)
def test_the_manager_is_chosen(wanted: str, changes: dict[str, Any], manager: str, doubt: str) -> None:
    properties = {name: value for name, value in changes.items() if name[0].isupper()}
    given = {"booted": True, "cgroup": UNIT, "unit": parse_unit(shown(**properties)), "trouble": "", "parent": 1, **changes}
    found = choose_manager(wanted, PID, given["parent"], given["booted"], given["cgroup"], given["unit"], given["trouble"])
    assert found["manager"] == manager
    assert [doubt in one["seen"] for one in found["doubts"]] == ([True] if doubt else [])
    assert all(set(one) == {"seen", "why", "do"} and all(one.values()) for one in found["doubts"])
    assert bool(found["unit"]) == (manager == "systemd")


RECORDED = {"manager": "systemd", "unit": "redis-server.service", "program": "/usr/bin/redis-server", "doubts": ["old"]}


@pytest.mark.parametrize(
    ("wanted", "recorded", "manager"),
    [
        ("auto", RECORDED, "systemd"),
        ("systemd", RECORDED, "systemd"),
        ("process", RECORDED, "process"),
        ("command", RECORDED, "command"),
        ("auto", None, "process"),
        ("systemd", None, "unclear"),
        ("systemd", {"manager": "process", "unit": ""}, "unclear"),
        ("auto", {"manager": "command", "unit": ""}, "command"),
    ],
)
def test_the_manager_of_an_instance_that_is_stopped(wanted: str, recorded: dict[str, Any] | None, manager: str) -> None:
    found = manager_when_stopped(wanted, recorded)
    assert (found["manager"], bool(found["doubts"])) == (manager, manager == "unclear")
    assert found["unit"] == ("redis-server.service" if manager == "systemd" else "")


# -- the drop-in

ARGUMENTS = " /etc/redis/redis.conf --supervised systemd --daemonize no"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([FRAGMENT], ExecStart("", "/usr/bin/redis-server", ARGUMENTS)),
        (["[Service]\nExecStart=-@/opt/r/redis-server redis %i $OPTS\n"], ExecStart("-@", "/opt/r/redis-server", " redis %i $OPTS")),
        (["[Service]\nExecStart = redis-server\n"], ExecStart("", "redis-server", "")),
        (
            ["[Service]\nExecStart=/a/redis-server \\\n# between\n  /a.conf \\\n  --daemonize no\n"],
            "/a/redis-server /a.conf --daemonize no",
        ),
        ([FRAGMENT, "[Service]\nExecStart=\nExecStart=/b/redis-server x\n"], ExecStart("", "/b/redis-server", " x")),
        ([FRAGMENT, "[Service]\nLimitNOFILE=1\n"], ExecStart("", "/usr/bin/redis-server", ARGUMENTS)),
        ([FRAGMENT, "[Service]\nExecStart=/b/redis-server\n"], None),
        (["[Unit]\nExecStart=/b/redis-server\n"], None),
        (["#[Service]\n#ExecStart=/b/redis-server\n"], None),
        (['[Service]\nExecStart="/opt/my redis/redis-server" x\n'], None),
        ([], None),
    ],
)
def test_the_command_of_a_unit(texts: list[str], found: ExecStart | str | None) -> None:
    own = exec_start(texts)
    if isinstance(found, str):
        assert own is not None
        assert (own.program + own.arguments).split() == found.split()
    else:
        assert own == found


@pytest.mark.parametrize(
    ("program", "path"),
    [
        ("/opt/redis-%i/redis-server", "/opt/redis-6380/redis-server"),
        ("/opt/%p/%N/%n/redis-server", "/opt/redis/redis@6380/redis@6380.service/redis-server"),
        ("/opt/100%%/redis-server", "/opt/100%/redis-server"),
    ],
)
def test_specifiers(program: str, path: str) -> None:
    assert expanded(program, "redis@6380.service") == path


@pytest.mark.parametrize(
    ("path", "server"),
    [("/usr/bin/redis-server", True), ("redis-sentinel", True), ("/opt/valkey-server", True), ("/usr/local/bin/start-redis.sh", False)],
)
def test_what_is_a_server(path: str, server: bool) -> None:
    assert is_server_program(path) is server


def test_the_drop_in() -> None:
    own = exec_start([FRAGMENT])
    assert own is not None
    text = drop_in(own, "/opt/r/redis/redis-server", "/opt/r/redis", sentinel=False, no_exec=True)
    settings = [line for line in text.splitlines() if not line.startswith("#")]
    assert settings == ["[Service]", "ExecStart=", f"ExecStart=/opt/r/redis/redis-server{ARGUMENTS}", "ExecPaths=/opt/r/redis"]
    assert exec_start([FRAGMENT, text]) == ExecStart("", "/opt/r/redis/redis-server", ARGUMENTS)
    assert "ExecPaths" not in drop_in(own, "/opt/r/redis/redis-server", "/opt/r/redis", sentinel=False, no_exec=False)


@pytest.mark.parametrize(
    ("arguments", "executable", "ends"),
    [
        (" s.conf", "/opt/redis-server", "/opt/redis-server s.conf --sentinel"),
        (" s.conf --sentinel", "/opt/redis-server", "/opt/redis-server s.conf --sentinel"),
        (" s.conf", "/opt/redis-sentinel", "/opt/redis-sentinel s.conf"),
    ],
)
def test_a_sentinel_stays_one(arguments: str, executable: str, ends: str) -> None:
    text = drop_in(ExecStart("", "/usr/bin/redis-sentinel", arguments), executable, "/opt", sentinel=True, no_exec=False)
    assert text.splitlines()[-1] == f"ExecStart={ends}"
