"""One instance in the folders of a test: its version folders, configuration and connection."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders
from ansible_collections.sentinelops.redis.plugins.module_utils._install.instance_files import InstanceFiles
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.lifecycle import running_instance, start, stop
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.switch_version import revert, switch_version
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import ProgramServer, place

OLD, NEW = "7.0.5", "7.0.15"
CLOCK, WAIT_S = Clock(), 5
MASTER = {"master_host": "10.0.0.1", "master_port": "6379"}


class Instance:
    """A plain process with version OLD in use and NEW staged; a script is the server."""

    def __init__(self, path: Path) -> None:
        self.active, self.staged = place(path / "redis", OLD), place(path / "redis.new", NEW)
        self.config = self.active / "redis.conf"
        self.config.write_text(f"port 6379\nlogfile {path}/redis.log\n")
        self.log = path / "redis.log"
        self.folders = Folders(str(self.active))
        self.files = InstanceFiles(str(self.active / "redis-server"), str(self.config), sentinel=False, log_file=str(self.log))
        self.server = ProgramServer(path, self.config)

    def start(self) -> NodeInfo:
        return start(self.server, self.files, WAIT_S, CLOCK)

    def stop(self, wait_s: float = WAIT_S) -> None:
        node = self.running_instance()
        assert node is not None
        stop(self.server, node, self.files, wait_s, CLOCK)

    def running_instance(self) -> NodeInfo | None:
        return running_instance(self.server, str(self.config))

    def switch(self, identity: FileIdentity | None = None, wait_s: float = WAIT_S) -> NodeInfo:
        return switch_version(self.server, self.files, self.folders, NEW, identity, wait_s, CLOCK)

    def revert(self) -> NodeInfo:
        return revert(self.server, self.files, self.folders, OLD, WAIT_S, CLOCK).node

    def running(self) -> str:
        """Return the version that runs; empty if none runs."""
        found = self.server.running()
        return found[1] if found else ""
