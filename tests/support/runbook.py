"""A deployment as the runbook has it: one folder ``redis`` per machine, with programs, both
configurations, data, logs and pid files in it; plain processes, started from within the folder.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._server.config_file import quote_sentinel_secrets
from deployment import MASTER, SERVERS, Deployment, server_in


class RunbookDeployment(Deployment):
    """Three data nodes and three Sentinels, of which ``redis-1`` and ``sentinel-1`` share a folder.

    ``machines``: 3, or 1 for a machine with all six instances in one folder.
    """

    def __init__(self, folder: Path, version: str, port: int, *, machines: int = 3, **options: Any) -> None:
        super().__init__(folder, version, port, **options)
        self.machines = machines

    def home(self, name: str) -> Path:
        """Return the folder that an instance runs from."""
        number = 1 if self.machines == 1 else int(name.rpartition("-")[2])
        return self.folder / f"machine-{number}" / "redis"

    def config(self, name: str) -> Path:
        alone = "sentinel.conf" if name.startswith("sentinel") else "redis.conf"
        return self.home(name) / (alone if self.machines > 1 else f"{name}.conf")

    def _set_up(self, name: str) -> None:
        home = self.home(name)
        if not home.exists():
            shutil.copytree(SERVERS / self.version, home)
        common = f"port {self.ports[name]}\ndir ./\nlogfile {name}.log\npidfile {home / name}.pid\n"
        own = self._sentinel_config() if name in self.sentinels else f"dbfilename {name}.rdb\n{self._node_config(name)}"
        self.config(name).write_text(common + own, encoding="utf-8")
        self.start(name)

    def start(self, name: str) -> None:
        config = self.config(name)
        config.write_text(quote_sentinel_secrets(config.read_text(encoding="utf-8")), encoding="utf-8")
        program = f"./{server_in(self.home(name)).name}"
        mode = ["--sentinel"] if name in self.sentinels else []
        self.processes[name] = subprocess.Popen(
            [program, config.name, *mode],
            cwd=self.home(name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _inventory(self) -> dict[str, Any]:
        """One host per data node and its Sentinel; with one machine, the hosts are its aliases."""
        hosts = {
            f"host-{number}": {"redis_upgrade_redis_port": node, "redis_upgrade_sentinel_port": sentinel}
            for number, (node, sentinel) in enumerate(zip(self.nodes.values(), self.sentinels.values(), strict=True), 1)
        }
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "redis_upgrade_master_name": MASTER,
            "redis_upgrade_journal_folder": f"{self.folder}/journal",
        }
        return {"all": {"vars": variables, "children": {"redis": {"hosts": hosts}, "sentinel": {"hosts": dict(hosts)}}}}
