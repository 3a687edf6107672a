"""The directives that hold secrets, and the masking of their values."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._server.secret_directives import (
    is_secret,
    masked,
    secrets_of,
)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("requirepass", True),
        ("masterauth", True),
        ("MasterAuth", True),
        ("primaryauth", True),
        ("tls-key-file-pass", True),
        ("tls-client-key-file-pass", True),
        ("masteruser", False),
        ("maxmemory", False),
        ("tls-key-file", False),
        ("some-later-password", True),
        ("tls-auth-clients", False),
        ("user", False),
    ],
)
def test_whether_a_parameter_is_a_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


@pytest.mark.parametrize(
    ("words", "secrets"),
    [
        (["requirepass", "s3cret"], ["s3cret"]),
        (["PrimaryAuth", "s3cret"], ["s3cret"]),
        (["user", "ops", "on", ">one", "#two", "~*", "+@all"], ["one", "two"]),
        (["sentinel", "auth-pass", "mymaster", "s3cret"], ["s3cret"]),
        (["sentinel", "sentinel-pass", "s3cret"], ["s3cret"]),
        (["sentinel", "monitor", "mymaster", "10.0.0.1", "6379", "2"], []),
        (["sentinel", "auth-user", "mymaster", "ops"], []),
        (["sentinel"], []),
        (["some-later-auth", "s3cret"], ["s3cret"]),
        (["port", "6379"], []),
    ],
)
def test_the_secrets_of_a_directive(words: list[str], secrets: list[str]) -> None:
    assert secrets_of(words) == secrets


@pytest.mark.parametrize(
    "line",
    [
        "requirepass s3cret",
        'requirepass "s3cret with spaces"',
        "masterauth s3cret",
        "masteruser s3cret",
        "user ops on >s3cret ~* +@all",
        "user default on #s3cret-hash ~* +@all",
        "tls-key-file-pass s3cret",
        "sentinel auth-pass mymaster s3cret",
        "sentinel auth-user mymaster s3cret",
        "sentinel sentinel-pass s3cret",
        "  REQUIREPASS s3cret",
        "tls-client-key-file-pass s3cret",
        "primaryauth s3cret",
        "primaryuser s3cret",
        "some-later-password s3cret",
        '"requirepass" s3cret',
        "\tsentinel\tauth-pass mymaster s3cret",
        "sentinel sentinel-user s3cret",
    ],
)
def test_a_secret_is_masked(line: str) -> None:
    text = masked(f"port 6379\n{line}\nappendonly no\n")
    assert "s3cret" not in text
    assert "********" in text
    assert text.startswith("port 6379\n")
    assert text.endswith("\nappendonly no\n")


@pytest.mark.parametrize(
    "line",
    [
        "port 6379",
        "# requirepass is set elsewhere",
        "sentinel monitor mymaster 10.0.0.1 6379 2",
        "aclfile /etc/users.acl",
        "tls-auth-clients no",
        "requirepass\nport 6379",
    ],
)
def test_the_rest_is_shown(line: str) -> None:
    assert masked(line) == line
