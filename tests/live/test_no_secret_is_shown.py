"""Every playbook, as talkative as can be and with --diff, shows no password and no hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from access import APP_PASSWORD, Access, with_passwords, with_users
from deployment import Deployment
from secrets_shown import excerpts, with_hashes

from playbooks import reach, run

pytestmark = pytest.mark.extended

HASHED = "hashed-secret-12"
WRONG = "wrong-secret-13"
HASH = hashlib.sha256(HASHED.encode()).hexdigest()


def with_passwords_and_a_user() -> Access:
    """Return passwords, and ACL users in clear text and as a hash."""
    access = with_passwords()
    return replace(access, node_lines=f"{access.node_lines}user app on >{APP_PASSWORD} ~* +@all\nuser other on #{HASH} ~* +@all\n")


@pytest.fixture(
    scope="module",
    params=[
        ("6.2.9", "6.2.14", with_passwords_and_a_user),
        ("7.0.15", "valkey-8.0.1", with_users),
        ("valkey-8.0.1", "valkey-9.1.2", with_passwords_and_a_user),
    ],
    ids=lambda param: f"{param[0]}-{param[2].__name__}",
)
def upgraded_from(build: Callable[..., Deployment], request: pytest.FixtureRequest) -> tuple[Deployment, str]:
    version, wanted, access = request.param
    return build(version, access=access()), wanted


def secrets_of(access: Access) -> set[str]:
    """Return all passwords of a deployment and their hashes, those of its ACL users too."""
    users = {word[1:] for word in access.node_lines.split() if word.startswith(">")}
    return with_hashes({*access.secrets, *users, HASHED})


def test_no_playbook_tells_one(upgraded_from: tuple[Deployment, str]) -> None:
    deployment, wanted = upgraded_from
    secrets, logins = secrets_of(deployment.access), reach(deployment)
    given = deployment.folder / "given.json"
    runs = [
        ("plan", 0, {}),
        ("preflight", 0, {}),
        ("upgrade", 2, {"redis_binaries_source": "/nowhere"}),
        ("upgrade", 2, {"redis_upgrade_redis_password": WRONG}),
        ("handover", 0, {"redis_upgrade_handover_to": "redis-2"}),
        ("upgrade", 0, {}),
        ("rollback", None, {}),
    ]
    for playbook, code, variables in runs:
        # as from a vault: -vvvv repeats the words of the command line
        given.write_text(json.dumps({**logins, "redis_upgrade_accept_no_way_back": True, **variables}), encoding="utf-8")
        done = run(deployment, playbook, "-vvvv", "--diff", "-e", f"@{given}", wanted=wanted)
        output = done.stdout + done.stderr
        assert excerpts(output, secrets | {WRONG}) == [], playbook
        assert len(output) > 10_000, f"{playbook}: {output}"
        assert code is None or done.returncode == code, f"{playbook}: {output[-3000:]}"
