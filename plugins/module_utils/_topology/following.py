# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trial login of a data node at another one, with the credentials that it would follow it with.

After a handover the old master follows its target, with ``masterauth``, ``masteruser`` and
``tls-replication`` of its own, which nobody used while it was the master.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, SentinelOpsError
from .._server.address import Address
from .._server.commands import Server
from .._server.info import NodeInfo, node_info, parse_info
from .._server.login import Login
from .._server.settings import config_values
from .._server.versions import version_key

__all__ = ["TIMEOUT_MS", "Connect", "cannot_follow", "info_of"]

Connect = Callable[[Address, Login], Server]
CREDENTIALS = ("masterauth", "masteruser", "tls-replication")
# A replica shows its client certificate, or else that of its server.
CERTIFICATES = ("tls-ca-cert-file", "tls-client-cert-file", "tls-client-key-file", "tls-cert-file", "tls-key-file")
TIMEOUT_MS = 2000


def info_of(server: Server) -> NodeInfo:
    return node_info(parse_info(server.command("INFO")))


def cannot_follow(server: Server, other: Address, login: Login, connect: Connect) -> str:
    """Return why the node at ``server`` could not follow the node at ``other``; empty if it could.

    ``login``: ours, whose timeout and certificates hold where the node has none.
    """
    config = config_values(server, *CREDENTIALS)
    theirs = _credentials(server, config, login)
    trial = connect(other, theirs)
    try:
        trial.command("REPLCONF", "capa", "psync2")
    except (AccessDenied, CommandRefused) as error:
        return _refusal(config, error.message)
    except ConnectionFailed as error:
        over = "TLS (tls-replication yes)" if theirs.tls else "no TLS (tls-replication no)"
        return f"it cannot connect, with {over}: {error.message}"
    finally:
        trial.close()
    return _denied_psync(config.get("masteruser", ""), connect(other, replace(login, timeout_ms=TIMEOUT_MS)))


def _credentials(server: Server, config: dict[str, str], login: Login) -> Login:
    tls = config.get("tls-replication") == "yes"
    found = replace(login, user=config.get("masteruser") or None, password=config.get("masterauth") or None, timeout_ms=TIMEOUT_MS, tls=tls)
    if not tls:
        return found
    files = config_values(server, *CERTIFICATES)
    return replace(
        found,
        ca_certs=files.get("tls-ca-cert-file") or login.ca_certs,
        client_cert_file=files.get("tls-client-cert-file") or files.get("tls-cert-file") or login.client_cert_file,
        client_key_file=files.get("tls-client-key-file") or files.get("tls-key-file") or login.client_key_file,
        validate_certs=False,  # a replica does not compare names
    )


def _refusal(config: dict[str, str], reply: str) -> str:
    if not config.get("masterauth"):
        return f"it has no masterauth, and is refused ({reply})"
    return f"its {'masteruser and masterauth are' if config.get('masteruser') else 'masterauth is'} refused ({reply})"


def _denied_psync(user: str, server: Server) -> str:
    """Return why the user may not synchronise, as far as the server tells (Redis 7.0 and later)."""
    try:
        if not user or version_key(info_of(server).version) < (7,):
            return ""
        reply: Any = server.command("ACL", "DRYRUN", user, "PSYNC", "?", "-1")
        return "" if reply == "OK" else f"its masteruser {user} has no right to PSYNC ({reply})"
    except SentinelOpsError:
        return ""
    finally:
        server.close()
