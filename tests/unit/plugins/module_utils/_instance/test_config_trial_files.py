"""The configuration with which a new server is tried: lines that stay, and lines that change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial_files import trial_config
from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import directives
from ansible_collections.sentinelops.redis.tests.unit.support.trial_config import MAIN, PLACE, FakeFiles, made

ID = "a" * 40


def line(text: str, **options: object) -> str:
    """Return what a file with one line becomes."""
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
    place = replace(PLACE, start_folder="/opt", version_folder="/opt/redis", new_folder="/opt/redis.new")
    assert line(text, place=place, others=brought) == written


# -- included files


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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("sentinel monitor mymaster 10.0.0.1 6379 2", 'sentinel "monitor" "mymaster" "127.0.0.1" "40001" "2"'),
        ('SENTINEL Monitor "my master" node-1.example 6379 2', 'SENTINEL "Monitor" "my master" "127.0.0.1" "40001" "2"'),
        # refused, and reaches nobody
        ("sentinel monitor mymaster 10.0.0.1", 'sentinel "monitor" "mymaster" "127.0.0.1"'),
        ("sentinel known-replica mymaster 10.0.0.2 6379", 'sentinel "known-replica" "mymaster" "127.0.0.3" "40001"'),
        ("sentinel known-slave mymaster ::1 6379", 'sentinel "known-slave" "mymaster" "127.0.0.3" "40001"'),
        (f"sentinel known-sentinel m 10.0.0.3 26379 {ID}", f'sentinel "known-sentinel" "m" "127.0.0.3" "40001" "{ID}"'),
        # a directive of a later version
        ("sentinel known-witness m 10.0.0.3 26379", 'sentinel "known-witness" "m" "127.0.0.3" "40001"'),
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


def test_what_a_sentinel_has_written_without_quotes_is_repaired_first() -> None:
    assert line("sentinel auth-pass m two words", sentinel=True) == 'sentinel auth-pass m "two words"'
