"""The documented inventories, and a deployment of two shards on three "hosts" with one Sentinel
set, as one of them describes it.

Each host is an address of 127.0.0.0/8, on which its servers listen and on no other; all hosts have
the same ports.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from access import Access, quoted
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from deployment import ROOT, SERVERS, Deployment, server_in

INVENTORY_PAGES = (ROOT / "README.md", ROOT / "docs" / "inventories.md")
SECRET = "shop-secret-12"
SENTINEL_SECRET = "shop-secret-13"
# For each shard: the address of the master, and the number of the port.
SHARDS = {"cache": ("127.0.0.2", 0), "sessions": ("127.0.0.3", 1)}


def documented_inventories() -> dict[str, str]:
    """Return the documented inventories by the name in their first line, ``# inventory: NAME``."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in INVENTORY_PAGES)
    return dict(re.findall(r"^```yaml\n# inventory: (.*?)\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


@contextlib.contextmanager
def shop(version: str, port: int) -> Iterator[Shop]:
    """Yield a running shop, in a folder that the servers' user may enter; remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    folder.chmod(0o755)
    found = Shop(folder, version, port)
    try:
        found.build()
        yield found
    finally:
        found.remove()


class Shop(Deployment):
    """Two shards: ``cache`` on three hosts, ``sessions`` on two of them, a Sentinel on each.

    The servers run as another user if the tests run as root.
    """

    def __init__(self, folder: Path, version: str, port: int) -> None:
        lines = f"requirepass {quoted(SECRET)}\nmasterauth {quoted(SECRET)}\nprotected-mode yes\n"
        access = Access(
            node_lines=lines,
            sentinel_lines=f"requirepass {SENTINEL_SECRET}\nprotected-mode yes\n",
            nodes={"password": SECRET},
            sentinels={"password": SENTINEL_SECRET},
            app={"password": SECRET},
        )
        super().__init__(folder, version, port, access=access)
        hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
        self.hosts = {f"cache-{number}": host for number, host in enumerate(hosts, 1)}
        self.hosts |= {f"sessions-{number}": host for number, host in enumerate(hosts[:2], 1)}
        self.nodes = {name: port + (0 if name.startswith("cache") else 1) for name in self.hosts}
        self.sentinels = {f"sentinel-{number}": port + 100 for number in (1, 2, 3)}
        self.hosts |= {f"sentinel-{number}": host for number, host in enumerate(hosts, 1)}
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.owner = (user.pw_uid, user.pw_gid)

    def listens(self, name: str) -> Address:
        return Address(self.hosts[name], self.ports[name])

    def reach(self, nodes: dict[str, Any] | None = None) -> dict[str, Any]:
        return {**super().reach(nodes), "login_host": self.hosts["sentinel-1"]}

    def _set_up(self, name: str) -> None:
        folder = self.folder / name / "redis"
        shutil.copytree(SERVERS / self.version, folder)
        common = f"port {self.ports[name]}\nbind {self.hosts[name]}\ndir {folder.parent}\nlogfile {folder.parent}/log\n"
        self.config(name).write_text(common + (self._watching() if name in self.sentinels else self._following(name)), encoding="utf-8")
        self.config(name).chmod(0o640)
        for path in (folder.parent, *folder.parent.rglob("*")):
            os.chown(path, *self.owner)
        self.start(name)

    def _following(self, name: str) -> str:
        host, number = SHARDS[name.partition("-")[0]]
        follow = "" if self.hosts[name] == host else f"replicaof {host} {min(self.nodes.values()) + number}\n"
        return self.access.node_lines + follow

    def _watching(self) -> str:
        port = min(self.nodes.values())
        return self.access.sentinel_lines + "".join(
            f"sentinel monitor {shard} {host} {port + number} 2\nsentinel down-after-milliseconds {shard} 5000\n"
            f"sentinel failover-timeout {shard} 60000\nsentinel auth-pass {shard} {SECRET}\n"
            for shard, (host, number) in SHARDS.items()
        )

    def start(self, name: str) -> None:
        user, group = self.owner
        as_owner: dict[str, Any] = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
        mode = ["--sentinel"] if name in self.sentinels else []
        self.processes[name] = subprocess.Popen(
            [server_in(self.folder / name / "redis"), self.config(name), *mode],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            **as_owner,
        )

    def _shards(self) -> dict[str, list[str]]:
        return {shard: [node for node in self.nodes if node.startswith(shard)] for shard in SHARDS}

    def _inventory(self) -> dict[str, Any]:
        """The documented one, with our addresses and ports; all hosts are this one, and have the
        same file system.
        """
        port = min(self.nodes.values())
        text = documented_inventories()["shards"].replace("6380", str(port + 1))
        for number in (3, 2, 1):
            text = text.replace(f"10.0.0.{number}", f"127.0.0.{number + 1}")
        found: dict[str, Any] = yaml.safe_load(text)
        found["all"]["children"]["shop"]["vars"] |= {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "redis_upgrade_redis_port": port,
            "redis_upgrade_sentinel_port": port + 100,
            "redis_upgrade_journal_folder": f"{self.folder}/journal/{{{{ inventory_hostname }}}}",
            "vault_redis_password": SECRET,
            "vault_sentinel_password": SENTINEL_SECRET,
        }
        return found
