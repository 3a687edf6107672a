"""The configuration with which a new server is tried: what stays, what is taken out, and what its
words are made into.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial_files import (
    Place,
    TrialConfig,
    explain,
    trial_config,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import directives

MAIN = "/etc/redis/redis.conf"
PLACE = Place("/tmp/trial", 40001, "/bin/true", "/etc/redis")
ID = "a" * 40


@dataclass
class FakeFiles:
    texts: dict[str, str]
    others: set[str] = field(default_factory=set)

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def matching(self, pattern: str) -> list[str]:
        return sorted(fnmatch.filter(self.texts, pattern))

    def exists(self, path: str) -> bool:
        return path in self.texts or path in self.others

    def executable(self, path: str) -> bool:
        return path in self.others


def made(text: str, sentinel: bool = False, place: Place = PLACE, others: set[str] | None = None, **texts: str) -> TrialConfig:
    """The trial's files, for a main file and further ones in /etc/redis (``x=`` is
    /etc/redis/x.conf).
    """
    files = FakeFiles({MAIN: text, **{f"/etc/redis/{name}.conf": content for name, content in texts.items()}}, others or set())
    config = trial_config(MAIN, sentinel, files, place)
    assert config is not None
    return config


def line(text: str, **options: object) -> str:
    """What becomes of a file with one line."""
    return made(text, **options).files[0].text.split("\n")[0]  # type: ignore[arg-type]


KEPT = [
    "# a comment",
    "",
    "maxmemory 2gb",
    "maxmemory-policy allkeys-lru",
    "port 6379",
    "tls-port 6380",
    "bind 10.0.0.5 -::1",
    'requirepass "a \\"b\\" c"',
    "user app on #9f86d081 ~* &* +@all",
    "rename-command CONFIG b840fc02",
    "appendonly yes",
    "save 900 1 300 10",
    "dir /var/lib/redis",
    "daemonize yes",
    "supervised systemd",
    "gopher-enabled no",
    'masterauth "unbalanced',
    "include /etc/redis/missing.conf",
    "loadmodule /opt/module.so one two",
    "aclfile /etc/redis/users.acl",
    "tls-cert-file /etc/ssl/redis.crt",
    "tls-ca-cert-file ''",
    "sentinel monitor mymaster 10.0.0.1 6379 2",  # which a data node's parser refuses, as it should
]


@pytest.mark.parametrize("text", KEPT)
def test_a_line_that_does_not_act_stays_as_it_is(text: str) -> None:
    assert line(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("replicaof 10.0.0.1 6379", "replicaof"),
        ("  SlaveOf 10.0.0.1 6379", "slaveof"),
        ("logfile /var/log/redis.log", "logfile"),
        ("unixsocketgroup redis", "unixsocketgroup"),
        ("rdma-port 6379", "rdma-port"),
    ],
)
def test_a_line_that_acts_is_taken_out_in_its_place(text: str, name: str) -> None:
    lines = made(f"maxmemory 1gb\n{text}\nmaxclients 10\n").files[0].text.split("\n")
    assert lines[:3] == ["maxmemory 1gb", f"# {name} is not tried", "maxclients 10"]


ENDS = {
    "port": [["0"]],
    "daemonize": [["no"]],
    "supervised": [["no"]],
    "syslog-enabled": [["no"]],
    "loglevel": [["notice"]],
    "unixsocketperm": [["700"]],
    "dir": [["/tmp/trial"]],
    "pidfile": [["/tmp/trial/pid"]],
    "unixsocket": [["/tmp/trial/socket"]],
}


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"])
def test_what_is_set_again_at_the_end_for_a_data_node(ending: str) -> None:
    text = made(f"port 6379\nsave 60 1{ending}").files[0].text
    assert directives(text[len(f"port 6379\nsave 60 1{ending}") :]) == {
        **ENDS,
        "save": [[""]],
        "appendonly": [["no"]],
        "cluster-enabled": [["no"]],
    }


def test_what_is_set_again_at_the_end_for_a_sentinel() -> None:
    assert directives(made("", sentinel=True).files[0].text) == ENDS


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("port 6379", {}),  # a server that is built without TLS knows none of its directives
        ("tls-port 0", {"tls-port": [["0"], ["0"]]}),
        ("tls-port 6380", {"tls-port": [["6380"], ["0"]], "tls-replication": [["yes"]]}),
        ("port 0\ntls-port 6380\ntls-replication no", {"tls-port": [["6380"], ["0"]], "tls-replication": [["no"], ["yes"]]}),
    ],
)
def test_certificates_are_read_without_a_port(text: str, end: dict[str, list[list[str]]]) -> None:
    found = directives(made(text).files[0].text)
    assert {name: lines for name, lines in found.items() if name.startswith("tls-")} == end


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("aclfile users.acl", 'aclfile "/var/lib/redis/users.acl"'),
        ("tls-cert-file 'my certs/a.crt'", 'tls-cert-file "/var/lib/redis/my certs/a.crt"'),
        ("tls-ca-cert-dir ../ca", 'tls-ca-cert-dir "/var/lib/redis/../ca"'),
        ('loadmodule ./m.so "one two" three', 'loadmodule "/var/lib/redis/./m.so" "one two" "three"'),
    ],
)
@pytest.mark.parametrize("place_of_dir", ["dir /var/lib/redis\n{}", "{}\ndir /var/lib/redis", "dir /var\ndir lib\n{}\ndir redis"])
def test_relative_paths_count_from_the_last_dir(text: str, written: str, place_of_dir: str) -> None:
    assert written in made(place_of_dir.format(text)).files[0].text.split("\n")


@pytest.mark.parametrize(
    ("text", "brought", "written"),
    [
        ("loadmodule /opt/redis/m.so a", {"/opt/redis.new/m.so"}, 'loadmodule "/opt/redis.new/m.so" "a"'),
        ("loadmodule /opt/redis/m.so a", set(), "loadmodule /opt/redis/m.so a"),
        ("loadmodule /opt/other/m.so", {"/opt/redis.new/m.so"}, "loadmodule /opt/other/m.so"),
        ("loadmodule redis/sub/m.so", {"/opt/redis.new/sub/m.so"}, 'loadmodule "/opt/redis.new/sub/m.so"'),
    ],
)
def test_a_module_comes_from_the_new_version_if_it_brings_one(text: str, brought: set[str], written: str) -> None:
    place = replace(PLACE, start_folder="/opt", replaced="/opt/redis", replaced_by="/opt/redis.new")
    assert line(text, place=place, others=brought) == written


# -- included files
# ---------------------------------------------------------------------------------------------------


def test_an_included_file_that_needs_no_change_is_read_where_it_is() -> None:
    config = made("include extra.conf\n", extra="maxmemory 1gb\n")
    assert config.files[0].text.startswith('include "/etc/redis/extra.conf"\n')
    assert [file.path for file in config.to_write()] == ["/tmp/trial/trial.conf"]
    assert made("include /etc/redis/extra.conf", extra="").files[0].text.startswith("include /etc/redis/extra.conf\n")


def test_an_included_file_that_acts_is_copied_also_two_levels_down() -> None:
    config = made("include one.conf\nport 1\n", one="maxclients 5\ninclude two.conf", two="replicaof 10.0.0.1 6379\n")
    assert {file.source: (file.path, file.text) for file in config.files[1:]} == {
        "/etc/redis/one.conf": ("/tmp/trial/include-1.conf", 'maxclients 5\ninclude "/tmp/trial/include-2.conf"'),
        "/etc/redis/two.conf": ("/tmp/trial/include-2.conf", "# replicaof is not tried\n"),
    }
    assert config.files[0].text.startswith('include "/tmp/trial/include-1.conf"\nport 1\n')


def test_relative_includes_count_from_where_dir_has_led_so_far() -> None:
    config = made("include extra.conf\ndir /etc\ninclude redis/extra.conf\ninclude extra.conf", extra="# nothing\n")
    assert config.files[0].text.split("\n")[:4] == [
        'include "/etc/redis/extra.conf"',
        "dir /etc",
        'include "/etc/redis/extra.conf"',
        "include extra.conf",  # /etc/extra.conf, which is not there: the server will say so
    ]


def test_a_pattern_includes_all_that_it_means_in_one_line() -> None:
    config = made("include *.conf.d\ninclude /etc/redis/part-*.conf\nport 1", **{"part-b": "slaveof a 1", "part-a": "hz 10"})
    lines = config.files[0].text.split("\n")
    assert lines[0] == "include *.conf.d"
    assert lines[2] == "port 1"
    collected = next(file.text for file in config.files if f'"{file.path}"' in lines[1])
    assert collected == 'include "/etc/redis/part-a.conf"\ninclude "/tmp/trial/include-2.conf"\n'


def test_a_file_that_includes_itself_is_left_to_the_server() -> None:
    assert made("include redis.conf\n").files[0].text.startswith("include redis.conf\n")


def test_no_configuration_file() -> None:
    assert trial_config(MAIN, False, FakeFiles({}), PLACE) is None


# -- Sentinels
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("sentinel monitor mymaster 10.0.0.1 6379 2", 'sentinel "monitor" "mymaster" "127.0.0.1" "40001" "2"'),
        ('SENTINEL Monitor "my master" node-1.example 6379 2', 'SENTINEL "Monitor" "my master" "127.0.0.1" "40001" "2"'),
        ("sentinel monitor mymaster 10.0.0.1", 'sentinel "monitor" "mymaster" "127.0.0.1"'),  # refused, and reaches nobody
        ("sentinel known-replica mymaster 10.0.0.2 6379", 'sentinel "known-replica" "mymaster" "127.0.0.3" "40001"'),
        ("sentinel known-slave mymaster ::1 6379", 'sentinel "known-slave" "mymaster" "127.0.0.3" "40001"'),
        (f"sentinel known-sentinel m 10.0.0.3 26379 {ID}", f'sentinel "known-sentinel" "m" "127.0.0.3" "40001" "{ID}"'),
        ("sentinel known-witness m 10.0.0.3 26379", 'sentinel "known-witness" "m" "127.0.0.3" "40001"'),  # of a later version
        ("sentinel notification-script m /opt/tell.sh", 'sentinel "notification-script" "m" "/bin/true"'),
        ("sentinel client-reconfig-script m /opt/tell.sh", 'sentinel "client-reconfig-script" "m" "/bin/true"'),
        ("sentinel notification-script m /opt/gone.sh", "sentinel notification-script m /opt/gone.sh"),
        (f"sentinel myid {ID}", f"sentinel myid {ID}"),
        ("sentinel down-after-milliseconds mymaster 5000", "sentinel down-after-milliseconds mymaster 5000"),
        ("sentinel announce-ip 10.0.0.1", "sentinel announce-ip 10.0.0.1"),
        ("sentinel resolve-hostnames yes", "sentinel resolve-hostnames yes"),
        ("sentinel auth-pass mymaster secret", "sentinel auth-pass mymaster secret"),
        ("sentinel rename-command mymaster CONFIG xyz", "sentinel rename-command mymaster CONFIG xyz"),
        ("sentinel", "sentinel"),
    ],
)
def test_a_sentinel_reaches_nobody_and_does_nothing(text: str, written: str) -> None:
    assert line(text, sentinel=True, others={"/opt/tell.sh"}) == written


def test_no_address_of_a_sentinel_stays_and_none_comes_twice() -> None:
    known = [f"sentinel known-replica m 10.0.{n // 200}.{n % 200} 6379" for n in range(600)]
    text = made("\n".join(["sentinel monitor m 10.9.9.9 6379 2", *known]), sentinel=True).files[0].text
    assert "10.0." not in text
    assert "10.9." not in text
    addresses = [arguments[2] for arguments in directives(text)["sentinel"]]
    assert len(set(addresses)) == 601
    assert all(address.startswith("127.") and all(int(part) < 256 for part in address.split(".")) for address in addresses)


def test_also_not_in_a_file_that_it_includes() -> None:
    config = made("include extra.conf", sentinel=True, extra="sentinel monitor m 10.0.0.1 6379 2\n")
    assert "10.0.0.1" not in config.files[1].text


def test_what_a_sentinel_has_written_without_quotes_is_mended_first() -> None:
    assert line("sentinel auth-pass m two words", sentinel=True) == 'sentinel auth-pass m "two words"'


# -- what the server says
# ---------------------------------------------------------------------------------------------


def said(number: int, text: str, reason: str) -> str:
    head = "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line"
    return f"{head} {number}\n>>> '{text}'\n{reason}\n"


def test_a_directive_that_is_refused() -> None:
    refusal = explain(said(2, "gopher-enabled no", "Bad directive or wrong number of arguments"), made("port 1\ngopher-enabled no\n"))
    assert (refusal.file, refusal.line) == (MAIN, 2)
    assert str(refusal) == f"{MAIN}, line 2: gopher-enabled no: Bad directive or wrong number of arguments"


@pytest.mark.parametrize("acts", ["", "replicaof 10.0.0.1 6379\n"])
def test_the_file_is_told_although_the_server_does_not(acts: str) -> None:
    """Copied or not, the included file with this line is meant, not the main one, which has another
    line there.
    """
    config = made("port 1\nhz 10\ninclude extra.conf\n", extra=f"# one\ngopher-enabled no\n{acts}")
    refusal = explain(said(2, "gopher-enabled no", "Bad directive"), config)
    assert (refusal.file, refusal.line) == ("/etc/redis/extra.conf", 2)


def test_a_line_that_was_changed_for_the_trial_is_shown_as_it_is_written() -> None:
    config = made("sentinel monitor m 10.0.0.1 6379 0\n", sentinel=True)
    written = config.files[0].text.split("\n")[0]
    refusal = explain(said(1, written, "Quorum must be 1 or greater."), config)
    assert str(refusal) == f"{MAIN}, line 1: sentinel monitor m 10.0.0.1 6379 0: Quorum must be 1 or greater."


def test_a_line_of_ours_is_no_line_of_the_file() -> None:
    refusal = explain(said(4, "unixsocketperm 700", "Bad directive"), made("port 1\n"))
    assert (refusal.file, refusal.line, str(refusal)) == ("", 0, "Bad directive")


@pytest.mark.parametrize(
    ("text", "secret", "shown"),
    [
        ('requirepass pass-word "of mine"', "pass-word", "requirepass *** ***"),
        ("requirepass pw x", "pw", "requirepass *** ***"),
        ("user app on >pass-word #cafe01 ~* +nothing", "pass-word", "user app on >*** #*** ~* +nothing"),
        ("tls-key-file-pass pass-word x", "pass-word", "tls-key-file-pass *** ***"),
        ("masterauth 'pass-word", "pass-word", "masterauth ..."),
        ("user app on '>pass-word", "pass-word", "user ..."),
    ],
)
def test_no_secret_is_shown(text: str, secret: str, shown: str) -> None:
    refusal = explain(said(1, text, f"Error near '>{secret}'" if len(secret) > 3 else "Error"), made(f"{text}\nmasterauth pass-word\n"))
    assert refusal.text == shown
    assert secret not in str(refusal)
    assert secret not in "".join(refusal.output)


def test_secrets_of_a_sentinel_and_of_the_acl_file() -> None:
    config = made(
        "sentinel auth-pass m first-1\nsentinel sentinel-pass second-2\naclfile /etc/redis/users.conf\n", True, users="user a >third-3"
    )
    output = "1:X 22 Nov 2026 20:52:18.306 # wrong: first-1 second-2 third-3\n"
    assert explain(output, config).reason == "wrong: *** *** ***"


MODULE = """\
6606:C 22 Nov 2026 20:52:18.306 # Redis version=7.0.15, bits=64, commit=00000000, modified=0, pid=6606, just started
6606:C 22 Nov 2026 20:52:18.306 # Configuration loaded
6606:M 22 Nov 2026 20:52:18.307 # Server initialized
6606:M 22 Nov 2026 20:52:18.307 # Module /opt/m.so failed to load: It does not have execute permissions.
6606:M 22 Nov 2026 20:52:18.307 # Can't load module from /opt/m.so: server aborting
"""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            MODULE,
            "Module /opt/m.so failed to load: It does not have execute permissions.; Can't load module from /opt/m.so: server aborting",
        ),
        (
            "1:C 22 Nov 2026 20:52:20.041 # Fatal error, can't open config file '/etc/redis/x.conf': No such file or directory\n",
            "Fatal error, can't open config file '/etc/redis/x.conf': No such file or directory",
        ),
        ("redis-server: error while loading shared libraries: libssl.so.3: cannot open shared object file\n",) * 2,
        ("", "it printed nothing"),
    ],
)
def test_what_is_not_about_a_line(output: str, reason: str) -> None:
    refusal = explain(output, made("port 1\n"))
    assert (refusal.reason, refusal.file, refusal.line) == (reason.strip(), "", 0)


@pytest.mark.parametrize(
    ("output", "where"),
    [
        (f"{MODULE}", ("/etc/redis/extra.conf", 2, "loadmodule m.so a")),
        ("1:M 22 Nov 2026 20:52:20.041 # Error loading ACL rule '+x' for the user named 'app': Unknown", (MAIN, 1, "user app on >*** +x")),
        ("1:M 22 Nov 2026 20:52:20.041 # Error loading ACL rule '+x' for the user named 'other': Unknown", ("", 0, "")),
    ],
)
def test_a_line_that_the_server_does_not_tell_is_found_by_what_it_names(output: str, where: tuple[str, int, str]) -> None:
    config = made("user app on >pass-word +x\ndir /opt\ninclude /etc/redis/extra.conf\n", extra="\nloadmodule m.so a\n")
    refusal = explain(output, config)
    assert (refusal.file, refusal.line, refusal.text) == where


def test_throw_away_files_are_called_by_their_real_names() -> None:
    config = made("include extra.conf\n", extra="slaveof a 1\n")
    assert (
        explain("can't open /tmp/trial/include-1.conf or /tmp/trial/trial.conf", config).reason
        == f"can't open /etc/redis/extra.conf or {MAIN}"
    )
