"""A controller with an empty HOME and the built artefact, and a sandbox that it upgrades."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import redis
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from cells import HOSTS

COLLECTION = "sentinelops.redis"
MASTER = "mymaster"
VAULT_PASSWORD = "matrix-vault-12"
SENTINEL_PASSWORD = "matrix-sentinel-8"  # of protected sandboxes
PASSWORD = "matrix-secret \"7\" 'x'"
SECONDS = 600  # for a command; an upgrade takes less than a minute where nothing else runs


def artefact(root: Path) -> Path:
    """Return the archive that make build has made."""
    found = sorted((root / ".cache" / "build").glob("sentinelops-redis-*.tar.gz"))
    assert len(found) == 1, f"{found}: make build makes exactly one"
    return found[0]


class Station:
    """A controller: an environment with an ansible-core, an empty HOME, the collection in it."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self.environment, self.home, self.work = environment, folder / "home", folder / "work"
        self.home.mkdir(parents=True)
        self.work.mkdir()
        vault_password = self.home / "vault-password"
        vault_password.write_text(VAULT_PASSWORD, encoding="utf-8")
        self.vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
        self.variables = {
            "HOME": str(self.home),
            "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            # async tasks expand ~ by HOME, but async_status by user
            "ANSIBLE_ASYNC_DIR": str(self.home / ".ansible_async"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(vault_password),
        }

    def start(self, *words: str | Path, errors: int | IO[str] = subprocess.STDOUT, **variables: str) -> subprocess.Popen[str]:
        """Start a command in an empty folder, with nothing of this checkout in its environment.

        ``errors``: where its standard error goes, by default into its output.
        """
        environment = {**self.variables, **variables}
        program = self.environment / "bin" / words[0]
        return subprocess.Popen(
            [program, *words[1:]],
            cwd=self.work,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )

    def run(self, *words: str | Path, code: int | None = 0, errors: int | IO[str] = subprocess.STDOUT, **variables: str) -> str:
        """Run a command to its end; return its output. Raises AssertionError if it ends otherwise.

        ``code``: the exit code that it must have, or None if any will do.
        """
        process = self.start(*words, errors=errors, **variables)
        try:
            output = process.communicate(timeout=SECONDS)[0]
        finally:
            process.kill()
            process.wait()
        assert code is None or process.returncode == code, f"{words}: {process.returncode}\n{output}"
        return output

    def install(self, archive: Path) -> None:
        """Install the collection below HOME, with no registry."""
        self.run("ansible-galaxy", "collection", "install", "--offline", archive)
        assert (self.home / ".ansible/collections/ansible_collections/sentinelops/redis/MANIFEST.json").exists()


class Sandbox:
    """A sandbox that a station builds by the playbook of the collection, on ports of its own."""

    def __init__(self, station: Station, folder: Path, port: int, server: Path) -> None:
        self.station, self.folder, self.server = station, folder, server
        ports = [*range(port, port + 3), *range(port + 100, port + 103)]
        self.ports = dict(zip(HOSTS, ports, strict=True))
        self.inventory, self.interpreters = folder / "inventory.yml", station.work / "interpreters.yml"
        self.given, self.report = station.work / "given.json", station.work / "report.json"
        self.sentinel_login: dict[str, Any] = {}

    def playbook(self, name: str, *words: str | Path, variables: Mapping[str, Any], **how: Any) -> str:
        """Run a playbook of the collection; its variables are in a vault.

        ``how``: keyword arguments of ``Station.run``.
        """
        self.given.write_bytes(self.station.vault.encrypt(json.dumps(dict(variables))))
        return self.station.run("ansible-playbook", f"{COLLECTION}.{name}", "-e", f"@{self.given}", *words, **how)

    def build(self, **more: Any) -> None:
        settings = {
            "redis_sandbox_folder": str(self.folder),
            "redis_sandbox_version_folder": str(self.server),
            "redis_sandbox_redis_port": self.ports["redis-1"],
            "redis_sandbox_sentinel_port": self.ports["sentinel-1"],
            "redis_sandbox_password": PASSWORD,
            **more,
        }
        self.playbook("sandbox", variables=settings)

    def protect(self, users: Mapping[str, str]) -> None:
        """Let the Sentinels ask for a password, and the data nodes have ACL users with theirs."""
        sentinels = [self.connect(host) for host in HOSTS if host.startswith("sentinel")]
        for host in HOSTS:
            if host.startswith("redis"):
                for user, password in users.items():
                    self.connect(host).execute_command("ACL", "SETUSER", user, "on", f">{password}", "~*", "+@all")
                self.connect(host).config_rewrite()
        for sentinel in sentinels:  # these connections stay logged in
            sentinel.execute_command("ACL", "SETUSER", "default", "resetpass", f">{SENTINEL_PASSWORD}")
            sentinel.execute_command("SENTINEL", "CONFIG", "SET", "sentinel-pass", SENTINEL_PASSWORD)
            sentinel.execute_command("SENTINEL", "FLUSHCONFIG")
        self.sentinel_login = {"password": SENTINEL_PASSWORD}

    def open(self) -> None:
        """Let the Sentinels ask for no password again."""
        for host in HOSTS:
            if host.startswith("sentinel"):
                self.connect(host).execute_command("ACL", "SETUSER", "default", "nopass")
        self.sentinel_login = {}

    def give_interpreters(self, environments: Mapping[str, Path]) -> None:
        """Let each host have a Python of its own."""
        hosts = {host: {"ansible_python_interpreter": str(folder / "bin" / "python")} for host, folder in environments.items()}
        self.interpreters.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")

    def inventories(self) -> list[str | Path]:
        return ["-i", self.inventory, *(["-i", self.interpreters] if self.interpreters.exists() else [])]

    def wanted(self, server: Path) -> dict[str, Any]:
        """Return the variables of an upgrade whose report is ``report``."""
        return {
            "redis_upgrade_version": server.name,
            "redis_binaries_source": str(server),
            "redis_binaries_remote_src": True,
            "redis_upgrade_report_file": str(self.report),
        }

    def upgrade_to(self, server: Path, *words: str | Path, given: Mapping[str, Any] | None = None, **how: Any) -> str:
        """Run the playbook upgrade; return its output. ``given``: more variables."""
        return self.playbook("upgrade", *self.inventories(), *words, variables={**self.wanted(server), **(given or {})}, **how)

    def connect(self, host: str) -> redis.Redis:
        login = self.sentinel_login if host.startswith("sentinel") else {"password": PASSWORD}
        return redis.Redis(port=self.ports[host], decode_responses=True, **login)

    def numbers(self) -> dict[str, dict[str, Any]]:
        """Return INFO of each server."""
        found = {}
        for host in HOSTS:
            with self.connect(host) as server:
                found[host] = server.info()
        return found

    def master(self) -> str:
        """Return the master's host, as all Sentinels and the data nodes name it."""
        named = {self.connect(host).sentinel_get_master_addr_by_name(MASTER)[1] for host in HOSTS if host.startswith("sentinel")}
        own = [host for host, info in self.numbers().items() if info.get("role") == "master"]
        assert named == {self.ports[host] for host in own}, (named, own)
        return own[0]

    def read(self, key: str) -> list[list[str]]:
        """Return a list as the master and all replicas have it, once they have caught up."""
        return [self.connect(host).lrange(key, 0, -1) for host in HOSTS if host.startswith("redis")]

    def remove(self) -> None:
        """Remove the sandbox by its playbook; end by its id what that leaves."""
        settings = {"redis_sandbox_state": "absent", "redis_sandbox_folder": str(self.folder), "redis_sandbox_password": PASSWORD}
        ports = {"redis_sandbox_redis_port": self.ports["redis-1"], "redis_sandbox_sentinel_port": self.ports["sentinel-1"]}
        try:
            if self.sentinel_login:
                self.open()
            self.playbook("sandbox", variables={**settings, **ports})
        finally:
            for pid in self._servers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _servers(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str((process / "exe").readlink()).startswith(f"{self.folder}/"):
                    found.append(int(process.name))
        return found


class Audit:
    """The write audit of the collection, which a host runs beside an upgrade."""

    def __init__(self, sandbox: Sandbox, host: str = "sentinel-3") -> None:
        self.stop, self.result = sandbox.station.work / "stop", sandbox.station.work / "audit.json"
        options = {
            "login_port": sandbox.ports["sentinel-1"],
            "master_name": MASTER,
            "node_login_password": PASSWORD,
            **{f"login_{name}": value for name, value in sandbox.sentinel_login.items()},
            "stop_file": str(self.stop),
            "result_file": str(self.result),
            "duration_s": SECONDS,
            "writes_per_second": 50,
        }
        words = [host, *sandbox.inventories(), "-m", f"{COLLECTION}.redis_write_audit", "-a", json.dumps(options)]
        self.process = sandbox.station.start("ansible", *words)
        time.sleep(3)

    def verdict(self) -> dict[str, Any]:
        """Stop the writers; return the numbers of the audit."""
        self.stop.touch()
        output = self.process.communicate(timeout=120)[0]
        assert self.result.exists(), output
        result: dict[str, Any] = json.loads(self.result.read_text(encoding="utf-8"))
        return result

    def end(self) -> None:
        if self.process.poll() is None:
            self.stop.touch()
            self.process.terminate()
        self.process.wait(60)
