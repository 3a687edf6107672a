"""Faults of passwords, users and certificates."""

from __future__ import annotations

from typing import Any

from access import CertificateAuthority, documented_rights
from deployment import Deployment
from fault import DONE, PASSWORDS, USERS, Expected, Fault
from faults import without

RIGHTS = documented_rights()
# the upgrade continues without these
USEFUL = ("sentinel|set", "sentinel|debug", "command|info", "acl|list")


def another_authority(deployment: Deployment) -> dict[str, Any]:
    return {"redis_upgrade_ca_certs": str(CertificateAuthority(deployment.folder / "strangers").file)}


def missing(name: str, kind: str, right: str) -> Fault:
    return Fault(
        f"a right is missing on a {kind}: +{right}",
        Expected.REFUSED,
        f"our user lacks the right +{right} on",
        USERS,
        before=lambda deployment: without(deployment, [name], right),
    )


def rights(kind: str) -> list[str]:
    return [right[1:] for right in RIGHTS[kind].split() if right[1:] not in USEFUL]


FAULTS = [
    Fault(
        "a wrong password for the data nodes",
        Expected.REFUSED,
        "cannot be surveyed: INFO: invalid username-password pair",
        given=lambda _deployment: {"redis_upgrade_redis_password": "not-this-one"},
        quick=True,
    ),
    Fault(
        "a wrong password for the Sentinels",
        Expected.REFUSED,
        "cannot be surveyed: INFO: invalid username-password pair",
        given=lambda _deployment: {"redis_upgrade_sentinel_password": "not-this-one"},
    ),
    Fault("a strange certificate authority", Expected.REFUSED, "certificate verify failed", USERS, given=another_authority),
    *(missing("redis-2", "data node", right) for right in rights("data nodes")),
    *(missing("sentinel-2", "Sentinel", right) for right in rights("Sentinels")),
]

# The upgrades that complete the earlier refusals.
LAST = [
    Fault("a password with quotes, spaces, #, {{ and $", Expected.DONE, DONE, PASSWORDS, last=True, quick=True),
    Fault("users with no right more than needed, TLS", Expected.DONE, DONE, USERS, last=True),
]
