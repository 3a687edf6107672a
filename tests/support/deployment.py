"""A throw-away Sentinel deployment of real processes on loopback, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from access import Access
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server
from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import quote_sentinel_secrets
from ansible_collections.sentinelops.redis.plugins.module_utils._server.connection import connect
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import parse_info
from ansible_collections.sentinelops.redis.plugins.module_utils._server.login import Login
from whole_state import State, instance_state

ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = ROOT / ".cache" / "servers"
MASTER = "mymaster"


def server_in(folder: Path) -> Path:
    """Return the server's executable in a version folder."""
    valkey = folder / "valkey-server"
    return valkey if valkey.exists() else folder / "redis-server"


RUN_MODULE = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
name, arguments = sys.argv[1], json.load(sys.stdin)
module = importlib.import_module(f"ansible_collections.sentinelops.redis.plugins.modules.{name}")
with patch_module_args(arguments):
    module.main()
"""


def run_module(name: str, wrapped: Sequence[str] = (), /, **arguments: Any) -> dict[str, Any]:
    """Run a module of the collection in a separate process, as Ansible does; return the result.

    ``wrapped``: the words of a command that runs the process.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".cache" / "collections")}
    done = subprocess.run(
        [*wrapped, sys.executable, "-c", RUN_MODULE, name],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if not done.stdout.strip():
        raise RuntimeError(f"{name} printed no result: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def start_module(name: str, environment: dict[str, str], /, **arguments: Any) -> subprocess.Popen[str]:
    """Start a module in a separate process and leave it running; nobody reads its result."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_MODULE, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT / ".cache" / "collections")},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(arguments))
    process.stdin.close()
    return process


def _processes() -> list[int]:
    return [int(process.name) for process in Path("/proc").iterdir() if process.name.isdigit()]


def _environment_has(pid: int, word: bytes) -> bool:
    with contextlib.suppress(OSError):
        return word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


class Deployment:
    """A deployment of one shard.

    The data nodes listen on ``port``, ``port + 1``, ... (the first is the master), the Sentinels
    from ``port + 100`` on.
    """

    def __init__(
        self,
        folder: Path,
        version: str,
        port: int,
        *,
        replicas: int = 2,
        sentinels: int = 3,
        extra: str = "",
        access: Access | None = None,
        down_after_ms: int = 5000,
    ) -> None:
        self.folder, self.version, self.extra = folder, version, extra
        self.access = access or Access()
        self.down_after_ms = down_after_ms
        self.nodes = {f"redis-{index + 1}": port + index for index in range(replicas + 1)}
        self.sentinels = {f"sentinel-{index + 1}": port + 100 + index for index in range(sentinels)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.before: dict[str, State] = {}

    @property
    def ports(self) -> dict[str, int]:
        return {**self.nodes, **self.sentinels}

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yml"

    def listens(self, name: str) -> Address:
        """Return where an instance is reached."""
        return Address(self.access.host, self.ports[name])

    def address(self, name: str) -> str:
        return str(self.listens(name))

    def config(self, name: str) -> Path:
        return self.folder / name / "redis" / ("sentinel.conf" if name.startswith("sentinel") else "redis.conf")

    def connect(self, name: str) -> Server:
        login = self.access.sentinels if name in self.sentinels else self.access.nodes
        return connect(self.listens(name), Login(**login, timeout_ms=2000))

    def command(self, name: str, *words: Any) -> Any:
        server = self.connect(name)
        try:
            return server.command(*words)
        finally:
            server.close()

    def administrator(self, name: str) -> Server:
        """Return a connection with all rights, even if a test has revoked some of ours."""
        kind = self.access.sentinels if name.startswith("sentinel") else self.access.nodes
        login = {**kind, **(self.access.administrator if kind.get("user") else {})}
        return connect(self.listens(name), Login(**login, timeout_ms=5000))

    def administer(self, name: str, *words: Any) -> Any:
        server = self.administrator(name)
        try:
            return server.command(*words)
        finally:
            server.close()

    def administered_info(self, name: str) -> dict[str, str]:
        return parse_info(self.administer(name, "INFO"))

    def info(self, name: str) -> dict[str, str]:
        return parse_info(self.command(name, "INFO"))

    def whole_state(self) -> dict[str, State]:
        """Return the state of each instance that answers, without what is set for a reserve."""
        found = {}
        for name in self.ports:
            with contextlib.suppress(SentinelOpsError):
                found[name] = instance_state(partial(self.administer, name), name in self.sentinels)
                if "config" in found[name]:
                    found[name]["config"].update(self._before_the_reserve(name, found[name]["config"]))
        return found

    def reserve_record(self, name: str) -> dict[str, Any]:
        """Return what an upgrade with a reserve has recorded of a data node; empty without one."""
        file = self.folder / "journal" / f"redis-{self.nodes[name]}.reserve.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def _before_the_reserve(self, name: str, config: dict[str, str]) -> dict[str, str]:
        settings = self.reserve_record(name).get("settings", {})
        ours = {setting: one["original"] for setting, one in settings.items() if config.get(setting) == one["temporary"]}
        return {**ours, **({"slave-priority": ours["replica-priority"]} if "replica-priority" in ours else {})}

    def remember(self) -> None:
        """Keep the whole state before a run; that of an earlier run if this one completes that."""
        if not (self.before and list((self.folder / "journal").glob("*[0-9].json"))):
            self.before = self.whole_state()

    def masters(self) -> list[str]:
        return [name for name in self.nodes if self.info(name)["role"] == "master"]

    def versions(self) -> dict[str, str]:
        return {name: self.info(name)["redis_version"] for name in self.ports}

    def build(self) -> None:
        """Write the files, start all instances, and wait until every Sentinel knows all of them.

        The replicas are linked before the Sentinels start: a Sentinel asks for INFO at its start,
        and then only every ten seconds.
        """
        for name in self.nodes:
            self._set_up(name)
        self._await_links()
        for name in self.sentinels:
            self._set_up(name)
        self.write_inventory()
        self.wait_until_known()

    def write_inventory(self) -> None:
        self.inventory.write_text(yaml.safe_dump(self._inventory()), encoding="utf-8")

    def _await_links(self, seconds: float = 60) -> None:
        """Wait until all replicas are linked; masters do not delay synchronisations meanwhile."""
        parameter, delays = "repl-diskless-sync-delay", {}
        deadline = time.monotonic() + seconds
        missing = list(self.nodes)
        while missing:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not linked: {', '.join(missing)}")
            time.sleep(0.05)
            with contextlib.suppress(SentinelOpsError):
                for name in set(self.nodes) - set(delays):
                    delays[name] = self.administer(name, "CONFIG", "GET", parameter)[1]
                    self.administer(name, "CONFIG", "SET", parameter, 0)
                missing = [name for name in missing if self.administered_info(name).get("master_link_status", "up") != "up"]
        for name, delay in delays.items():
            self.administer(name, "CONFIG", "SET", parameter, delay)

    def _set_up(self, name: str, follows: str = "") -> None:
        folder, port = self.folder / name / "redis", self.ports[name]
        shutil.copytree(SERVERS / self.version, folder)
        listen = f"tls-port {port}" if self.access.tls else f"port {port}"
        common = f"{listen}\nbind {self.access.bind}\ndir {folder.parent}\nlogfile {folder.parent}/log\n"
        own = self._sentinel_config() if name in self.sentinels else self._node_config(name, follows)
        self.config(name).write_text(common + own, encoding="utf-8")
        self.start(name)

    def add(self, name: str, follows: str = "") -> None:
        """Add ``redis-N`` or ``sentinel-N`` on the next port; wait until every Sentinel knows it.

        ``follows``: the replica that a data node follows, of which no Sentinel learns.
        """
        group = self.sentinels if name.startswith("sentinel") else self.nodes
        group[name] = max(group.values()) + 1
        self._set_up(name, follows)
        if follows:
            self._await_links()
        else:
            self.wait_until_known()

    def forget(self, name: str) -> None:
        """Remove an added instance from the deployment's lists."""
        for group in (self.nodes, self.sentinels, self.processes):
            group.pop(name, None)

    def _node_config(self, name: str, follows: str = "") -> str:
        first = next(iter(self.nodes))
        follow = "" if name == first else f"replicaof {self.access.host} {self.nodes[follows or first]}\n"
        return self.access.node_lines + self.extra + follow

    def _sentinel_config(self) -> str:
        master = next(iter(self.nodes.values()))
        named = self.access.sentinel_lines.replace("{name}", MASTER).splitlines(keepends=True)
        # resolve-hostnames must precede the use of a name
        before = [line for line in named if MASTER not in line]
        return (
            "".join(before) + f"sentinel monitor {MASTER} {self.access.host} {master} {len(self.sentinels) // 2 + 1}\n"
            f"sentinel down-after-milliseconds {MASTER} {self.down_after_ms}\nsentinel failover-timeout {MASTER} 60000\n"
        ) + "".join(line for line in named if MASTER in line)

    def _inventory(self) -> dict[str, Any]:
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "redis_upgrade_master_name": MASTER,
            "redis_upgrade_journal_folder": str(self.folder / "journal"),
        }
        groups = {
            "redis": {"hosts": {name: {"redis_upgrade_redis_port": port} for name, port in self.nodes.items()}},
            "sentinel": {"hosts": {name: {"redis_upgrade_sentinel_port": port} for name, port in self.sentinels.items()}},
        }
        return {"all": {"vars": variables, "children": groups}}

    def start(self, name: str) -> None:
        mode = []
        # The Sentinel may have written secrets that it cannot read: a manual start needs a repair.
        if name in self.sentinels:
            mode = ["--sentinel"]
            self.config(name).write_text(quote_sentinel_secrets(self.config(name).read_text(encoding="utf-8")), encoding="utf-8")
        server = server_in(self.folder / name / "redis")
        self.processes[name] = subprocess.Popen(
            [server, self.config(name), *mode], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def stop(self, name: str) -> None:
        """Send SIGTERM, as a service manager does, and wait until the process has ended."""
        self.processes[name].terminate()
        self.processes[name].wait(30)

    def wait_until_known(self, seconds: float = 120) -> None:
        """Wait until every Sentinel knows all others, sees all links, and is not in TILT.

        A busy machine may put Sentinels into TILT.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(SentinelOpsError):
                if all(self._known(name) and not self.in_tilt(name) for name in self.sentinels):
                    return
            time.sleep(0.1)
        raise TimeoutError("the Sentinels did not find the whole deployment")

    def in_tilt(self, name: str) -> bool:
        """Return whether a Sentinel is in TILT: passive for 30 s after it did not run for two."""
        return bool(self.administered_info(name)["sentinel_tilt"] != "0")

    def _shards(self) -> dict[str, list[str]]:
        """Return the data nodes of each shard."""
        return {MASTER: list(self.nodes)}

    def _known(self, name: str) -> bool:
        for shard, nodes in self._shards().items():
            reply = self.command(name, "SENTINEL", "MASTER", shard)
            view = dict(zip(reply[::2], reply[1::2], strict=True))
            replicas = self.command(name, "SENTINEL", "REPLICAS", shard)
            linked = [dict(zip(replica[::2], replica[1::2], strict=True))["master-link-status"] for replica in replicas]
            if int(view["num-other-sentinels"]) != len(self.sentinels) - 1 or linked != ["ok"] * (len(nodes) - 1):
                return False
        return True

    def reach(self, nodes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the options of a module: the Sentinels, and data nodes with the login
        ``nodes``.
        """
        own = {} if nodes is None else {name: nodes.get(name) for name in ("user", "password") if self.access.sentinels.get("user")}
        options = {**self.access.options(nodes), **{f"login_{name}": value for name, value in own.items()}}
        return {"login_host": self.access.host, "login_port": next(iter(self.sentinels.values())), **options}

    def hand_over(self, name: str, **options: Any) -> dict[str, Any]:
        """Run the module that makes the node the master; return the result."""
        return run_module("redis_sentinel_failover", **self.handover_options(name, **options))

    def handover_options(self, name: str, **options: Any) -> dict[str, Any]:
        journal = str(self.folder / "journal")
        return {**self.reach(), "master_name": MASTER, "target": self.address(name), "journal_folder": journal, **options}

    def other_than_master(self) -> str:
        """Return redis-2, or redis-1 if redis-2 is the master."""
        return "redis-2" if self.masters() == ["redis-1"] else "redis-1"

    def pids(self) -> dict[str, int]:
        return {name: int(self.info(name)["process_id"]) for name in self.ports}

    @property
    def mark(self) -> dict[str, str]:
        """Return an environment that marks processes of this deployment; children inherit the
        mark.
        """
        return {**os.environ, "HANDOVER_OF": str(self.folder)}

    def start_handover(self, name: str, **options: Any) -> subprocess.Popen[str]:
        """Start a handover like ``hand_over`` in the background; nobody reads its result."""
        return start_module("redis_sentinel_failover", self.mark, **self.handover_options(name, **options))

    def handing_over(self) -> list[int]:
        """Return the ids of all living processes with the ``mark``, other than servers.

        These are modules, standbys and ansible-playbook.
        """
        mark = f"HANDOVER_OF={self.folder}".encode()
        return [pid for pid in _processes() if _environment_has(pid, mark) and not self._runs_from_here(pid)]

    def _runs_from_here(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return str(Path(f"/proc/{pid}/exe").readlink()).startswith(f"{self.folder}/")
        return False

    def remove(self) -> None:
        """Kill every process that runs from the folder, by its id, and delete the folder."""
        for pid in _processes():
            if self._runs_from_here(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for started in self.processes.values():
            started.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Writers:
    """A write audit that runs beside a test, in a separate process."""

    def __init__(self, deployment: Deployment, *, stop: str = "stop", **options: Any) -> None:
        self.stop_file = deployment.folder / stop
        self.stop_file.unlink(missing_ok=True)
        self.arguments = {
            **deployment.reach(deployment.access.app),
            "master_name": MASTER,
            "stop_file": str(self.stop_file),
            "duration_s": 600,
            **options,
        }

    def __enter__(self) -> Writers:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN_MODULE, "redis_write_audit"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / ".cache" / "collections")},
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(self.arguments))
        self.process.stdin.close()
        self.process.stdin = None
        time.sleep(1.5)
        return self

    def verdict(self) -> dict[str, Any]:
        self.stop_file.touch()
        output, _nothing = self.process.communicate(timeout=120)
        result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        assert not result.get("failed"), result
        return result

    def __exit__(self, *_reason: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
