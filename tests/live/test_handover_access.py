"""Handovers under load with authentication, TLS, and addresses other than 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from access import Access, on_ipv6, with_announced_addresses, with_certificates, with_host_names, with_passwords, with_users
from deployment import Deployment, Writers
from states import settings

Build = Callable[..., Deployment]
CASES: dict[str, tuple[str, Callable[[Path], Access]]] = {
    "passwords": ("6.2.14", lambda _folder: with_passwords()),
    "ACL users": ("7.0.15", lambda _folder: with_users()),
    "client certificates": ("7.0.15", with_certificates),
    "Valkey": ("valkey-8.0.1", lambda _folder: with_passwords()),
    "IPv6": ("6.2.14", lambda _folder: on_ipv6()),
    "host names": ("7.0.15", lambda _folder: with_host_names()),
    "announced addresses": ("6.2.14", lambda _folder: with_announced_addresses()),
}


# Each case takes a quarter of a minute, mostly waiting for Sentinels; make test-all has the others.
QUICK = ("passwords", "Valkey")


@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.extended] * (case not in QUICK)) for case in CASES])
def test_nothing_is_lost(build: Build, tmp_path: Path, case: str) -> None:
    version, access = CASES[case]
    deployment = build(version, access=access(tmp_path / "certificates"))
    before = settings(deployment)
    with Writers(deployment) as writers:
        result = deployment.hand_over("redis-2", mode="auto")
        assert not result.get("failed"), result["msg"]
        verdict = writers.verdict()
    assert (result["mode"], result["full_resyncs"], result.get("warnings")) == ("pause", 0, None)
    assert deployment.masters() == ["redis-2"]
    assert settings(deployment) == before
    assert verdict["acknowledged"] > 500
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    assert "clients of" in str(result["timeline"])
    for secret in deployment.access.secrets:
        assert secret not in json.dumps(result)


def test_no_secret_is_seen_at_any_verbosity(build: Build, tmp_path: Path) -> None:
    deployment = build("7.0.15", access=with_passwords())
    secrets = {
        "redis_upgrade_redis_password": deployment.access.nodes["password"],
        "redis_upgrade_sentinel_password": deployment.access.sentinels["password"],
    }
    variables = tmp_path / "secrets.json"
    variables.write_text(json.dumps({name: {"__ansible_unsafe": text} for name, text in secrets.items()}), encoding="utf-8")
    for target, expected in (("redis-2", 0), ("nobody", 2)):
        done = subprocess.run(
            [
                *("ansible-playbook", "-vvvvv", "-i", str(deployment.inventory), "sentinelops.redis.handover"),
                *("-e", f"@{variables}", "-e", f"redis_upgrade_handover_to={target}"),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ANSIBLE_DEBUG": "0"},
        )
        assert done.returncode == expected, done.stdout
        for secret in secrets.values():
            for text in (secret, json.dumps(secret)[1:-1]):
                assert text not in done.stdout + done.stderr
    assert deployment.masters() == ["redis-2"]


def refused(deployment: Deployment, **options: Any) -> str:
    """Return the message of a handover that is refused and has changed nothing."""
    before = (settings(deployment), deployment.masters(), deployment.pids())
    result = deployment.hand_over("redis-2", wait_s=2, **options)
    assert result.get("failed"), result
    assert (settings(deployment), deployment.masters(), deployment.pids()) == before
    return str(result["msg"])


def test_wrong_certificates_are_refused(build: Build, tmp_path: Path) -> None:
    deployment = build("7.0.15", access=with_certificates(tmp_path / "right"))
    other = with_certificates(tmp_path / "wrong").nodes
    assert "Check ca_certs" in refused(deployment, ca_certs=other["ca_certs"])
    assert "Check ca_certs" in refused(deployment, node_ca_certs=other["ca_certs"])
    message = refused(deployment, client_cert_file=None, client_key_file=None)
    assert "give client_cert_file" in message
    message = refused(deployment, client_cert_file=other["client_cert_file"], client_key_file=other["client_key_file"])
    assert "does not trust the authority that signed client_cert_file" in message
    assert "set tls to true" in refused(deployment, tls=False, node_tls=False)


def test_wrong_passwords_are_refused(build: Build) -> None:
    deployment = build("6.2.14", access=with_passwords())
    assert "Check user and password" in refused(deployment, login_password="wrong")
    assert "Check user and password" in refused(deployment, node_login_password="wrong")
    assert "Give the password" in refused(deployment, node_login_password=None)
    assert "If nothing speaks TLS on this port, set tls to false" in refused(deployment, tls=True, node_tls=False, timeout_ms=500)
