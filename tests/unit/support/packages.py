"""Hosts whose package manager is replayed: with the answers of a real dpkg, apt and systemd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Host, Ran
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

# dpkg-query --show of Debian 12 with the fields Package, source, version, wanted state and state
DPKG = """libc6\tglibc\t2.36-9+deb12u14\tinstall\tinstalled
python3-redis\tpython-redis\t4.3.4-3\tinstall\tinstalled
redis-sentinel\tredis\t{version}\t{want}\t{state}
redis-server\tredis\t{version}\t{want}\t{state}
redis-tools\tredis\t{version}\t{want}\t{state}
valkey-tools\tvalkey\t8.0.1+dfsg1-1~bpo12+1\tdeinstall\tconfig-files
"""
# apt-cache madison: the columns are aligned
MADISON = """{name} |  5:8.0.6-1 | file:/srv/repository ./ Packages
{name} |  5:8.0.2-1 | file:/srv/repository ./ Packages
{name} | 5:7.0.15-1~deb12u10 | http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
{name} | 5:7.0.15-1~deb12u7 | http://deb.debian.org/debian bookworm/main amd64 Packages
{name} | 5:7.0.15-1~deb12u7 | http://deb.debian.org/debian bookworm/main Sources
"""
PACKAGES = ("redis-sentinel", "redis-server", "redis-tools")


class DebianHost(Host):
    """A host with Debian's packages in one version, and a repository with others.

    ``bin``: the folder of the programs. ``breaks``: the beginning of a command that fails.
    """

    def __init__(self, root: Path, version: str = "5:8.0.2-1") -> None:
        self.bin, self.version, self.want, self.state = root / "usr" / "bin", version, "install", "installed"
        self.missing: set[str] = set()
        self.commands: list[list[str]] = []
        self.breaks = ""
        self.systemd = True
        self.init = root / "etc" / "init.d" / "redis-server"
        self.init.parent.mkdir(parents=True, exist_ok=True)
        self.init.write_text("#!/bin/sh\n")
        self.init.chmod(0o755)
        self._place()

    def _place(self) -> None:
        upstream = self.version.partition(":")[2].partition("-")[0]
        place(self.bin, upstream, name="redis-check-rdb")
        for name in ("redis-server", "redis-sentinel"):
            if not (self.bin / name).is_symlink():
                (self.bin / name).symlink_to("redis-check-rdb")

    def booted_by_systemd(self) -> bool:
        return self.systemd

    def run(self, words: Sequence[str], timeout_s: float) -> Ran:
        if words[0] == "unshare":  # the words before the command are tried on real hosts
            words = words[words.index("sh", words.index("sh") + 1) + 2 :]
        command = [word for word in words if word != "env" and not (word.isupper() or word.split("=")[0].isupper())]
        self.commands.append(command)
        if self.breaks and " ".join(command).startswith(self.breaks):
            return Ran(100, "", "E: it is broken")
        answer = getattr(self, "_" + command[0].replace("-", "_"), None)
        return answer(command) if answer else Ran(0, "")

    def ran(self, program: str) -> list[list[str]]:
        return [command for command in self.commands if command[0] == program]

    def _dpkg_query(self, words: list[str]) -> Ran:
        if words[1] == "--search":
            path = words[-1]
            known = {str(self.bin / "redis-server"): "redis-server", str(self.bin / "redis-sentinel"): "redis-sentinel"}
            return Ran(0, f"{known[path]}: {path}\n") if path in known else Ran(1, "", f"dpkg-query: no path found matching pattern {path}")
        if words[1] == "--listfiles":
            units = ["redis-server.service", "redis-server@.service", "redis-sentinel.service"]
            return Ran(
                0, "\n".join(["/.", str(self.init), str(self.bin / "redis-server"), *(f"/lib/systemd/system/{unit}" for unit in units), ""])
            )
        if "Conffiles" in words[3]:
            return Ran(0, "")
        return Ran(0, DPKG.format(version=self.version, want=self.want, state=self.state))

    def _apt_cache(self, words: list[str]) -> Ran:
        return Ran(0, "".join(MADISON.format(name=name) for name in words[2:] if name not in self.missing))

    def _apt_get(self, words: list[str]) -> Ran:
        folder = next(Path(word.partition("=")[2]) for word in words if word.startswith("Dir::Cache::archives="))
        if "--download-only" in words:
            for package in words[words.index("install") + 1 :]:
                name, _equals, version = package.partition("=")
                (folder / f"{name}_{version.replace(':', '%3a')}_amd64.deb").write_text(version)
        else:
            files = [Path(word) for word in words[words.index("install") + 1 :]]
            self.version = files[0].read_text()
            self.state = "installed"
            self._place()
        return Ran(0, "")

    def _sh(self, words: list[str]) -> Ran:  # cd FOLDER && apt-get download PACKAGE=VERSION ...
        for package in (word for word in words if "=" in word and not word.startswith("APT")):
            name, _equals, version = package.partition("=")
            (Path(words[4]) / f"{name}_{version.replace(':', '%3a')}_amd64.deb").write_text(version)
        return Ran(0, "")

    def _dpkg_deb(self, words: list[str]) -> Ran:
        archive, target = Path(words[2]), Path(words[3])
        folder = target / str(self.bin).lstrip("/")
        upstream = archive.read_text().partition(":")[2].partition("-")[0]
        if archive.name.startswith("redis-tools"):
            place(folder, upstream, name="redis-check-rdb")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / archive.name.partition("_")[0]).symlink_to("redis-check-rdb")
        return Ran(0, "")

    def _systemctl(self, words: list[str]) -> Ran:
        return Ran(0, "redis-server@second.service loaded active running x\n" if words[1] == "list-units" else "")
