# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are replaced one by one in a folder, which any number of instances may share.

Three folders: ``active`` (in use), ``staged`` (the new programs) and ``kept`` (the old ones).
Activation renames each new program over the old one of the same name. No other file of the active
folder is touched, so configuration, data, logs and pid files stay where they are. An instance that
runs keeps its old program, which Linux removes when the last process ends. A killed run may leave
some programs replaced; the server is replaced last.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace

from .._atomic_write import FileIdentity, replacing, write_atomically
from .._errors import OperationFailed, PreconditionFailed, SentinelOpsError
from .._host.process import binary_version, executed_file, is_shipped_program, processes_running, servers_started_from
from .._owned_files import give, link, make_folders, make_link, remove, remove_tree, rename
from .._server.config_file import read_text
from .copy_files import copy_file, inside
from .folders import rename_earlier_kept, require_version_in, server_in, version_in
from .instance_files import InstanceFiles

__all__ = ["Programs", "program_folders"]

# The file in the kept folder that names the programs of which there was no old one.
_ADDED = ".added-by-sentinelops-redis"
# One program, which does what its name says.
_SERVER_ROLES = ("server", "sentinel", "check-aof", "check-rdb")


def program_folders(active: str, product: str) -> tuple[str, str]:
    """Return the staged and the kept folder of programs in ``active``, on the same file system.

    A version folder (``/opt/redis``) gets siblings, as a swap of folders has. A folder with other
    programs (``/usr/local/bin``) and a mount get subfolders.
    """
    parent = os.path.dirname(active)
    is_general = os.path.basename(active) in ("bin", "sbin", "src", "libexec")
    is_mount = os.path.isdir(active) and os.stat(active).st_dev != os.stat(parent).st_dev
    name = os.path.join(active, product) if is_general or is_mount else active
    return name + ".new", name + ".old"


def _shipped(folder: str) -> list[str]:
    """Return the names of a version's programs in a folder, the servers last."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(filter(is_shipped_program, names), key=lambda name: (name.endswith("-server"), name))


def _role(name: str) -> str:
    """Return what a program does: ``server`` for redis-server and valkey-server."""
    return name.partition("-")[2]


def _is_link_to_shipped(path: str) -> bool:
    """Return whether a path is a link to another program of a version, in the same folder."""
    if not os.path.islink(path):
        return False
    target = os.path.join(os.path.dirname(path), os.readlink(path))
    return os.path.dirname(os.path.normpath(target)) == os.path.dirname(path) and is_shipped_program(os.path.basename(target))


def _put(source: str, target: str) -> None:
    """Make ``target`` the same file as ``source`` (a link stays a link) in one step."""
    partial = target + ".partial"
    remove(partial)
    if os.path.islink(source):
        make_link(os.readlink(source), partial)
    else:
        link(source, partial)
    rename(partial, target)
    remove(partial)  # rename(2) does nothing if both names are the same file already


@dataclass(frozen=True)
class Programs:
    """The programs of one version in the folder ``active``.

    ``whole``: the installation is rolled back with all its instances, so that no instance is
    started from the kept folder alone.
    """

    active: str
    staged: str
    kept: str
    whole: bool = False

    def changed_folders(self) -> list[str]:
        return [os.path.dirname(self.staged), self.active]

    def installed_version(self) -> str:
        return version_in(self.active)

    def staged_version(self) -> str:
        return version_in(self.staged)

    def kept_version(self) -> str:
        return version_in(self.kept)

    def interrupted(self) -> bool:
        return False  # a partly activated version is staged again and completed

    def in_place(self, version: str) -> bool:
        return self.installed_version() == version

    def activated(self, version: str) -> bool:
        return self.in_place(version)

    def runs_elsewhere(self, executable: str) -> bool:
        return bool(executable) and not any(inside(executable, folder) for folder in (self.active, self.kept))

    def runs_kept(self, executable: str) -> bool:
        """Return whether an instance runs from the kept folder alone."""
        return bool(executable) and inside(executable, self.kept)

    def serves_previous(self, executable: str, version: str) -> bool:
        if self.runs_kept(executable):
            return not self.whole
        return self.in_place(version)

    def copies(self, config_file: str) -> bool:
        return False

    def current_path(self, path: str) -> str:
        return path

    def new_server(self) -> str:
        return server_in(self.staged) or server_in(self.active) or ""

    def changes_server_path(self, executable: str) -> bool:
        return False  # each program gets the name of the old one, if need be as a link

    def require_staged(self, version: str) -> None:
        require_version_in(self.staged, version)

    def require_activatable(self, files: InstanceFiles) -> None:
        """Raise PreconditionFailed unless the version in use is kept.

        A rollback that has restored the kept programs may activate the new ones again.
        """
        if not self.kept_version() and not self.whole:
            raise PreconditionFailed(
                f"{self.kept} does not hold the version in use, so that version could not be restored",
                state="The version in use was not touched",
                advice="Run the upgrade again from its stage play",
            )

    def files_after(self, files: InstanceFiles) -> InstanceFiles:
        name = os.path.basename(files.executable)
        return replace(files, executable=os.path.join(self.active, name)) if self.runs_kept(files.executable) else files

    # -- keep

    def keep(self, executable: str, pid: int, version: str) -> bool:
        """Keep the programs of the running version, before anything is replaced.

        The programs on disk are kept, or the running file of process ``pid`` if another version is
        on disk already. Returns whether anything was done. Raises OperationFailed if the running
        version is to be had from neither.
        """
        if self.kept_version() == version:
            return False
        partial = self._new_partial()
        if _version_of(os.path.join(self.active, os.path.basename(executable))) == version:
            self._link_active(partial)
        else:
            self._copy_running(os.path.basename(executable), pid, partial)
        found = version_in(partial)
        if found != version:
            remove_tree(partial)
            raise OperationFailed(
                f"the programs of the running version {version} cannot be kept: {self.active} holds "
                f"{self.installed_version() or 'no server'}, and process {pid} runs {found or 'no file that can be read'}",
                state="Nothing was stopped",
                advice=f"Put the programs of {version} into {self.kept}, and run again",
            )
        rename_earlier_kept(self.kept)
        rename(partial, self.kept)
        return True

    def _new_partial(self) -> str:
        """Return a new and empty folder, which is to become the kept one."""
        partial = self.kept + ".partial"
        remove_tree(partial)
        make_folders(partial, 0o755)
        return partial

    def _link_active(self, target: str) -> None:
        for name in _shipped(self.active):
            _put(os.path.join(self.active, name), os.path.join(target, name))

    def _keep_again(self) -> None:
        """Keep the programs that a rollback has restored, and without which the rollback of other
        instances could not go on.
        """
        partial = self._new_partial()
        self._link_active(partial)
        rename_earlier_kept(self.kept)
        rename(partial, self.kept)

    def _copy_running(self, name: str, pid: int, target: str) -> None:
        """Copy the running file of a process, by the name of the server; other roles are links."""
        product = name.partition("-")[0]
        server = f"{product}-server"
        running = executed_file(pid)
        if running is None:
            return
        with running as source, replacing(os.path.join(target, server), mode=0o755) as copy:
            shutil.copyfileobj(source, copy)
        for other in _shipped(self.active):
            if _role(other) in _SERVER_ROLES and other != server:
                make_link(server, os.path.join(target, other))

    # -- activate

    def activate(self, files: InstanceFiles, identity: FileIdentity | None) -> InstanceFiles:
        """Replace the programs, or complete an interrupted replacement."""
        server = server_in(self.staged)
        if server is None:
            raise OperationFailed(f"{self.staged} holds no server any more", state=f"{self.active} was not changed")
        if self.whole and not self.kept_version():
            self._keep_again()
        self._copy_configuration(files)
        source = os.path.dirname(server)
        self._add_missing_names(source)
        names = _shipped(source)
        added = [name for name in names if not os.path.lexists(os.path.join(self.active, name))]
        if added and os.path.isdir(self.kept):
            known = read_text(self._added_file).split() if os.path.exists(self._added_file) else []
            write_atomically(self._added_file, "\n".join(dict.fromkeys([*known, *added])) + "\n", mode=0o644)
        for name in names:
            target = os.path.join(self.active, name)
            if not _is_link_to_shipped(target):
                self._own_like_old(os.path.join(source, name))
                rename(os.path.join(source, name), target)
        remove_tree(self.staged)
        return self.files_after(files)

    @property
    def _added_file(self) -> str:
        return os.path.join(self.kept, _ADDED)

    def _copy_configuration(self, files: InstanceFiles) -> None:
        """Copy a configuration file that is beside the programs to the kept ones, as a backup."""
        if inside(files.config_file, self.active) and os.path.isfile(files.config_file) and os.path.isdir(self.kept):
            target = os.path.join(self.kept, os.path.relpath(files.config_file, self.active))
            if not os.path.exists(target):
                copy_file(files.config_file, target)

    def _add_missing_names(self, source: str) -> None:
        """Link names that the old version has and the new one lacks to the new program.

        A unit that starts redis-sentinel, or redis-server where Valkey follows Redis, so starts the
        new version.
        """
        new = {_role(name): name for name in _shipped(source)}
        for name in _shipped(self.active):
            role = _role(name)
            target = new.get(role) or (new.get("server") if role in _SERVER_ROLES else None)
            if target and not os.path.lexists(os.path.join(source, name)):
                make_link(target, os.path.join(source, name))

    def _own_like_old(self, path: str) -> None:
        if os.geteuid() == 0:
            old = server_in(self.active)
            give(path, os.stat(old or self.active))

    # -- revert

    def revert(self, files: InstanceFiles, version: str) -> InstanceFiles:
        """Restore the kept version, or return the files to start one instance from it alone.

        An instance is started alone if others run the new version already, and its service manager
        can start another executable.
        """
        files = self.files_after(files)
        if self.in_place(version):
            return files
        if self.kept_version() != version:
            raise OperationFailed(
                f"{self.kept} does not hold the version {version} to restore", state=f"The programs in {self.active} were not changed"
            )
        kept = os.path.join(self.kept, os.path.basename(files.executable))
        if not self.whole and os.path.exists(kept) and self._used_by_others() and files.service.starts_other_path(kept):
            return replace(files, executable=kept)
        self.restore()
        return files

    def _used_by_others(self) -> bool:
        return bool(processes_running([os.path.join(self.active, name) for name in _shipped(self.active)]))

    def restore(self) -> None:
        """Put the kept programs in use again; the new ones are staged again.

        The kept folder stays as long as an instance runs from it alone.
        """
        make_folders(self.staged)
        for name in _shipped(self.active):
            old, new = os.path.join(self.kept, name), os.path.join(self.active, name)
            is_restored = os.path.exists(old) and not os.path.islink(new) and os.path.samefile(old, new)
            if not is_restored and not os.path.lexists(os.path.join(self.staged, name)):
                _put(new, os.path.join(self.staged, name))
        for name in _shipped(self.kept):
            _put(os.path.join(self.kept, name), os.path.join(self.active, name))
        for name in read_text(self._added_file).split() if os.path.exists(self._added_file) else []:
            remove(os.path.join(self.active, name))
        if not servers_started_from(self.kept):
            remove_tree(self.kept)


def _version_of(executable: str) -> str:
    try:
        return binary_version(executable)
    except SentinelOpsError:
        return ""
