"""Access to test deployments: the servers' authentication, and the logins of modules and
clients.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Every character with a special meaning in configuration files, shells or templates.
PASSWORD = "node \"pass' #{{ x }} $HOME"
SENTINEL_PASSWORD = "sentinel-secret-7"
OPS_PASSWORD = "ops-secret-8"
SENTINELS_OWN_PASSWORD = "watcher-secret-9"
APP_PASSWORD = "app-secret-10"
REPLICA_PASSWORD = "replica-secret-11"

RIGHTS_PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "rights.md"


def documented_rights() -> dict[str, str]:
    """Return the rights of docs/rights.md: ``{"data nodes": "+info ...", "Sentinels": "..."}``.

    Tests use these rights and no others.
    """
    found: dict[str, str] = {}
    block = RIGHTS_PAGE.read_text(encoding="utf-8").split("```text\n", 1)[1].split("```", 1)[0]
    for line in block.splitlines():
        if line.startswith("#"):
            kind = "data nodes" if "data nodes" in line else "Sentinels"
        else:
            found[kind] = f"{found.get(kind, '')} {line}".strip()
    return found


BACKUP_RIGHTS = "+bgsave"  # on top, as docs/rights.md says
SENTINELS_OWN_RIGHTS = (
    "+multi +exec +slaveof +ping +subscribe +publish +info +config|rewrite +client|setname +client|kill +script|kill +role"
)


def quoted(text: str) -> str:
    """Return the text as one argument in a configuration file."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True)
class Access:
    """Lines for the configuration files, and the logins of modules (``ops``) and clients (``app``).

    ``sentinels`` and ``nodes`` are keyword arguments of ``Login``. ``sentinels_own`` are the
    settings (SENTINEL SET) with which the Sentinels themselves log in to the data nodes.
    """

    node_lines: str = ""
    sentinel_lines: str = ""
    nodes: dict[str, Any] = field(default_factory=dict)
    sentinels: dict[str, Any] = field(default_factory=dict)
    app: dict[str, Any] = field(default_factory=dict)
    administrator: dict[str, Any] = field(default_factory=dict)
    sentinels_own: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    bind: str = "127.0.0.1"
    tls: bool = False

    def options(self, nodes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the options of a module: the login to the Sentinels, and ``nodes`` for data
        nodes.
        """
        return {**_options(self.sentinels, ""), **_options(self.nodes if nodes is None else nodes, "node_")}

    @property
    def secrets(self) -> list[str]:
        """Return all secrets that no output may show."""
        logins = (self.nodes, self.sentinels, self.app)
        return sorted({login["password"] for login in logins if login.get("password")})


def _options(login: dict[str, Any], prefix: str) -> dict[str, Any]:
    names = {"user": f"{prefix}login_user", "password": f"{prefix}login_password"}
    return {names.get(name, f"{prefix}{name}"): value for name, value in login.items()}


def with_passwords() -> Access:
    """Return requirepass and masterauth for data nodes, and another requirepass for Sentinels."""
    return Access(
        node_lines=f"requirepass {quoted(PASSWORD)}\nmasterauth {quoted(PASSWORD)}\n",
        sentinel_lines=f"requirepass {SENTINEL_PASSWORD}\nsentinel auth-pass {{name}} {quoted(PASSWORD)}\n",
        nodes={"password": PASSWORD},
        sentinels={"password": SENTINEL_PASSWORD},
        app={"password": PASSWORD},
    )


def with_users() -> Access:
    """ACL users: ours with exactly the rights of docs/rights.md, the Sentinels', the replicas'
    and the application's.
    """
    rights = documented_rights()
    node_lines = (
        f"user ops on >{OPS_PASSWORD} {rights['data nodes']} {BACKUP_RIGHTS}\n"
        f"user watcher on >{SENTINELS_OWN_PASSWORD} allchannels {SENTINELS_OWN_RIGHTS}\n"
        f"user peer on >{SENTINEL_PASSWORD} ~* &* +@all\n"
        f"user replica on >{REPLICA_PASSWORD} +psync +replconf +ping\n"
        f"user app on >{APP_PASSWORD} ~* &* +@all -@admin -@dangerous +info\n"
        "user default off\n"
        f"masteruser replica\nmasterauth {REPLICA_PASSWORD}\n"
    )
    sentinel_lines = (
        f"user ops on >{OPS_PASSWORD} &* {rights['Sentinels']}\n"
        f"user app on >{APP_PASSWORD} &* +ping +sentinel|masters "
        "+sentinel|master +sentinel|replicas +sentinel|slaves +sentinel|get-master-addr-by-name +sentinel|sentinels\n"
        f"user peer on >{SENTINEL_PASSWORD} &* +@all\n"
        "user default off\n"
        f"sentinel sentinel-user peer\nsentinel sentinel-pass {SENTINEL_PASSWORD}\n"
        f"sentinel auth-user {{name}} watcher\nsentinel auth-pass {{name}} {SENTINELS_OWN_PASSWORD}\n"
    )
    return Access(
        node_lines=node_lines,
        sentinel_lines=sentinel_lines,
        nodes={"user": "ops", "password": OPS_PASSWORD},
        sentinels={"user": "ops", "password": OPS_PASSWORD},
        app={"user": "app", "password": APP_PASSWORD},
        administrator={"user": "peer", "password": SENTINEL_PASSWORD},
        sentinels_own={"auth-user": "watcher", "auth-pass": SENTINELS_OWN_PASSWORD},
    )


def with_certificates(folder: Path) -> Access:
    """Return TLS everywhere, with a CA of our own; clients need a certificate."""
    ca = CertificateAuthority(folder)
    server, client = ca.issue("server"), ca.issue("client")
    lines = (
        f"tls-cert-file {server}.crt\ntls-key-file {server}.key\ntls-ca-cert-file {ca.file}\n"
        "tls-auth-clients yes\ntls-replication yes\nport 0\n"
    )
    login = {
        "tls": True,
        "ca_certs": str(ca.file),
        "client_cert_file": f"{client}.crt",
        "client_key_file": f"{client}.key",
    }
    return Access(node_lines=lines, sentinel_lines=lines, nodes=login, sentinels=login, app=login, tls=True)


def with_users_and_certificates(folder: Path) -> Access:
    """Return both: clients need a certificate and a user."""
    users, tls = with_users(), with_certificates(folder)
    return replace(
        users,
        node_lines=users.node_lines + tls.node_lines,
        sentinel_lines=users.sentinel_lines + tls.sentinel_lines,
        nodes={**users.nodes, **tls.nodes},
        sentinels={**users.sentinels, **tls.sentinels},
        app={**users.app, **tls.app},
        tls=True,
    )


def on_ipv6() -> Access:
    return Access(host="::1", bind="::1")


def with_announced_addresses() -> Access:
    """Return replicas that announce another address than their own, as behind a port forwarding."""
    return Access(node_lines="replica-announce-ip 127.0.0.2\n", bind="127.0.0.1 127.0.0.2")


def with_host_names() -> Access:
    """Return data nodes and Sentinels that announce host names (6.2 and later)."""
    return Access(
        node_lines="replica-announce-ip localhost\n",
        sentinel_lines="sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\nsentinel announce-ip localhost\n",
        host="localhost",
    )


class CertificateAuthority:
    """An issuer of certificates for 127.0.0.1, ::1 and localhost."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test CA {folder.name}")])
        self.file = folder / "ca.crt"
        certificate = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        self._write(self.file, certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o600)

    def issue(self, name: str) -> Path:
        """Write ``name.crt`` and ``name.key``; return their common path without the suffix."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "::1")]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key).add_extension(x509.SubjectAlternativeName([*names, x509.DNSName("localhost")]), False)
        path = self._folder / name
        self._write(path.with_suffix(".crt"), builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self._write(path.with_suffix(".key"), pem)
        return path
