"""A deployment whose servers run in pid and mount namespaces of their own, as in containers.

Configuration, data and image of a server are at paths that exist in its mount namespace only. A
script plays the part of the user's tool: it stages images, switches a link, starts and stops.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from deployment import SERVERS, Deployment

# The tool. An image is named after its version; an instance's link says which image it runs.
TOOL = r"""#!/bin/bash
set -eu
base="{base}"
echo "$* (${{SENTINELOPS_PREVIOUS-}} to ${{SENTINELOPS_VERSION-}})" >> "$base/calls"
pid() {{ cat "$base/$1/pid" 2> /dev/null || echo 0; }}
runs() {{ [ "$(pid "$1")" != 0 ] && kill -0 "$(pid "$1")" 2> /dev/null; }}
case $1 in
  stage)
    [ -d "$base/images/$2" ] && exit 0
    rm -rf "$base/images/.new" && cp -r "{servers}/$2" "$base/images/.new" && mv -T "$base/images/.new" "$base/images/$2" ;;
  activate)
    [ -d "$base/images/$3" ]
    ln -sfn "../images/$3" "$base/$2/image.new" && mv -T "$base/$2/image.new" "$base/$2/image" ;;
  start)
    runs "$2" && exit 0
    setsid unshare --pid --fork --kill-child --mount-proc --mount /bin/sh -e -c '
      mount -t tmpfs none /mnt
      mkdir /mnt/state /mnt/image
      mount --bind "$1/state" /mnt/state
      mount --bind "$(readlink -f "$1/image")" /mnt/image
      exec /mnt/image/redis-server /mnt/state/*.conf $2' server "$base/$2" "${{3-}}" < /dev/null > "$base/$2/output" 2>&1 &
    echo $! > "$base/$2/pid"
    port=$(cat "$base/$2/port")
    for _ in $(seq 300); do
      runs "$2" || {{ cat "$base/$2/output" >&2; exit 1; }}
      (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null && exit 0
      sleep 0.1
    done
    exit 1 ;;
  stop)
    runs "$2" || exit 0
    wrapper=$(pid "$2")
    read -r child _ < "/proc/$wrapper/task/$wrapper/children" || true
    kill -TERM "$child"
    while runs "$2"; do sleep 0.05; done ;;
esac
"""


class ContainedDeployment(Deployment):
    """Three data nodes and three Sentinels, each in a container of its own."""

    def tool(self, *words: str) -> None:
        subprocess.run([self.folder / "tool", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    def image_of(self, name: str) -> str:
        return (self.folder / name / "image").readlink().name

    def config(self, name: str) -> Path:
        return self.folder / name / "state" / ("sentinel.conf" if name.startswith("sentinel") else "redis.conf")

    def build(self) -> None:
        self.folder.mkdir(parents=True)
        tool = self.folder / "tool"
        tool.write_text(TOOL.format(base=self.folder, servers=SERVERS), encoding="utf-8")
        tool.chmod(0o755)
        (self.folder / "images").mkdir()
        self.tool("stage", self.version)
        super().build()

    def _set_up(self, name: str) -> None:
        home = self.folder / name
        (home / "state").mkdir(parents=True)
        (home / "port").write_text(f"{self.ports[name]}\n", encoding="utf-8")
        common = f"port {self.ports[name]}\nbind {self.access.bind}\ndir /mnt/state\nlogfile /mnt/state/log\n"
        own = self._sentinel_config() if name in self.sentinels else self._node_config(name)
        self.config(name).write_text(common + own, encoding="utf-8")
        self.tool("activate", name, self.version)
        self.start(name)

    def start(self, name: str) -> None:
        self.tool("start", name, *(["--sentinel"] if name in self.sentinels else []))

    def stop(self, name: str) -> None:
        self.tool("stop", name)

    def run_ids(self) -> dict[str, str]:
        return {name: self.info(name)["run_id"] for name in self.ports}

    def commands(self, kind: str) -> dict[str, Any]:
        """Return the variables with the commands of the instances of a kind."""
        own, mode = "{{ inventory_hostname }}", ["--sentinel"] if kind == "sentinel" else []
        words = {
            "stage": ["stage", "{version}"],
            "activate": ["activate", own, "{version}"],
            "deactivate": ["activate", own, "{previous}"],
            "start": ["start", own, *mode],
            "stop": ["stop", own],
        }
        return {f"redis_upgrade_{kind}_{name}_command": [str(self.folder / "tool"), *line] for name, line in words.items()}

    def _inventory(self) -> dict[str, Any]:
        found = super()._inventory()
        ours = {"redis_upgrade_activation": "command", "redis_upgrade_service_manager": "command"}
        found["all"]["vars"].update(ours, **self.commands("redis"), **self.commands("sentinel"))
        return found

    def remove(self) -> None:
        """Kill the wrappers, with which their servers end, and delete the folder."""
        for name in self.ports:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.folder / name / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
