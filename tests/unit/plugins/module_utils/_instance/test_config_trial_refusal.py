"""The reason of a refused configuration, from the server's output."""

from __future__ import annotations

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.config_trial_refusal import explain
from ansible_collections.sentinelops.redis.tests.unit.support.trial_config import MAIN, made


def fatal_error(number: int, text: str, reason: str) -> str:
    head = "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line"
    return f"{head} {number}\n>>> '{text}'\n{reason}\n"


def test_a_directive_that_is_refused() -> None:
    refusal = explain(
        fatal_error(2, "gopher-enabled no", "Bad directive or wrong number of arguments"), made("port 1\ngopher-enabled no\n")
    )
    assert (refusal.file, refusal.line) == (MAIN, 2)
    assert str(refusal) == f"{MAIN}, line 2: gopher-enabled no: Bad directive or wrong number of arguments"


@pytest.mark.parametrize("acts", ["", "replicaof 10.0.0.1 6379\n"])
def test_the_file_is_told_although_the_server_does_not(acts: str) -> None:
    """The included file has the refused line, copied or not; the main file has another one."""
    config = made("port 1\nhz 10\ninclude extra.conf\n", extra=f"# one\ngopher-enabled no\n{acts}")
    refusal = explain(fatal_error(2, "gopher-enabled no", "Bad directive"), config)
    assert (refusal.file, refusal.line) == ("/etc/redis/extra.conf", 2)


def test_a_line_that_was_changed_for_the_trial_is_shown_as_it_is_written() -> None:
    config = made("sentinel monitor m 10.0.0.1 6379 0\n", sentinel=True)
    written = config.files[0].text.split("\n")[0]
    refusal = explain(fatal_error(1, written, "Quorum must be 1 or greater."), config)
    assert str(refusal) == f"{MAIN}, line 1: sentinel monitor m 10.0.0.1 6379 0: Quorum must be 1 or greater."


def test_a_line_of_ours_is_no_line_of_the_file() -> None:
    refusal = explain(fatal_error(4, "unixsocketperm 700", "Bad directive"), made("port 1\n"))
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
    refusal = explain(
        fatal_error(1, text, f"Error near '>{secret}'" if len(secret) > 3 else "Error"), made(f"{text}\nmasterauth pass-word\n")
    )
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
def test_a_line_without_a_number_is_found_by_the_user_or_module(output: str, where: tuple[str, int, str]) -> None:
    config = made("user app on >pass-word +x\ndir /opt\ninclude /etc/redis/extra.conf\n", extra="\nloadmodule m.so a\n")
    refusal = explain(output, config)
    assert (refusal.file, refusal.line, refusal.text) == where


def test_temporary_files_are_shown_with_their_real_names() -> None:
    config = made("include extra.conf\n", extra="slaveof a 1\n")
    assert (
        explain("can't open /tmp/trial/include-1.conf or /tmp/trial/trial.conf", config).reason
        == f"can't open /etc/redis/extra.conf or {MAIN}"
    )
