"""The paths of Redis's and Valkey's packages."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.package_paths import PackagePaths, new_name

PATHS = PackagePaths()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("redis-server.service", "valkey-server.service"),
        ("redis-server@6380.service", "valkey-server@6380.service"),
        ("redis-sentinel.service", "valkey-sentinel.service"),
        ("redis.service", "valkey.service"),
        ("redis-server@redis-a.service", "valkey-server@redis-a.service"),
    ],
)
def test_the_unit_that_stands_for_another(old: str, new: str) -> None:
    assert new_name(old) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/etc/redis", "/etc/valkey"),
        ("/etc/redis/conf.d/local.conf", "/etc/valkey/conf.d/local.conf"),
        ("/var/lib/redis", "/var/lib/valkey"),
        ("/var/lib/redis/6380", "/var/lib/valkey/6380"),
        ("/var/log/redis/redis-server.log", "/var/log/valkey/valkey-server.log"),
        ("/var/log/redis/redis-server-6380.log", "/var/log/valkey/valkey-server-6380.log"),
        ("/var/log/redis/redis-sentinel.log", "/var/log/valkey/valkey-sentinel.log"),
        ("/var/log/redis/ours.log", "/var/log/valkey/ours.log"),
        ("/run/redis/redis-server.pid", "/run/valkey/valkey-server.pid"),
        ("/var/run/redis/redis-server.pid", "/var/run/valkey/valkey-server.pid"),
        ("/run/redis-6380/redis-server.pid", "/run/valkey-6380/valkey-server.pid"),
        ("/run/redis/redis-server.sock", "/run/valkey/valkey-server.sock"),
        ("/run/sentinel/redis-sentinel.pid", "/run/sentinel/valkey-sentinel.pid"),
    ],
)
def test_a_place_of_the_package(old: str, new: str) -> None:
    assert PATHS.new_path(old) == new
    assert PATHS.is_packaged(old)
    assert not PATHS.is_packaged(new)


@pytest.mark.parametrize(
    "path",
    [
        "/srv/redis",
        "/srv/etc/redis/redis.conf",
        "/etc/redis-6380/redis.conf",
        "/var/lib/redis-data",
        "/var/lib/redisearch/x",
        "redis.conf",
        "",
        "/",
    ],
)
def test_a_place_that_is_none_of_the_package(path: str) -> None:
    assert PATHS.new_path(path) == path


def test_a_configuration() -> None:
    text = (
        "# dir /var/lib/redis\n"
        "dir /var/lib/redis\r\n"
        'logfile "/var/log/redis/redis-server.log"\n'
        "aclfile '/etc/redis/users.acl'\n"
        "user app on ~/etc/redis/* +@all\n"
        "  # include /etc/redis/x.conf\n"
        "sentinel notification-script mymaster /etc/redis/notify.sh\n"
        "tls-cert-file /srv/etc/redis/cert.pem"
    )
    assert PATHS.new_text(text) == (
        "# dir /var/lib/redis\n"
        "dir /var/lib/valkey\r\n"
        'logfile "/var/log/valkey/valkey-server.log"\n'
        "aclfile '/etc/valkey/users.acl'\n"
        "user app on ~/etc/redis/* +@all\n"
        "  # include /etc/redis/x.conf\n"
        "sentinel notification-script mymaster /etc/valkey/notify.sh\n"
        "tls-cert-file /srv/etc/redis/cert.pem"
    )


def test_below_another_root() -> None:
    assert PackagePaths("/tmp/x").new_path("/tmp/x/run/redis/redis-server.pid") == "/tmp/x/run/valkey/valkey-server.pid"
    assert not PackagePaths("/tmp/x").is_packaged("/etc/redis")
