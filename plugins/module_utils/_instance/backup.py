# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up an instance before its data crosses a format barrier: its data, and its configuration.

A backup is a folder with ``backup.json`` (what it is), ``dump.rdb`` (a data node's data as of one
offset of the replication stream) and the configuration and ACL files. It is complete or not there.
Nothing that is complete is ever removed. The journal of the instance gets the facts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Mapping

from .._atomic_write import FileIdentity, sync_folder
from .._errors import CommandRefused, PreconditionFailed
from .._host.disk_space import free_bytes
from .._owned_files import as_owner, remove_tree
from .._progress_file import PROGRESS
from .._records.journal import SCHEMA, read_journal, write_journal
from .._records.own_folder import require_own_folder
from .._server.activity import saving
from .._server.commands import Server
from .._server.info import parse_info
from .._server.settings import config_values
from .._sizes import readable_size
from .._wait import Clock, until
from .rdb_check import check_rdb

__all__ = ["DATA", "MANIFEST", "BackupRequest", "back_up", "check_backup", "is_recent", "journal_field", "read_backup", "require_version"]

DATA, MANIFEST = "dump.rdb", "backup.json"
_CHUNK = 1 << 20
_CHECK_S = 3600.0
_RECENT_S = 600.0
_UNTOUCHED = "No backup was made, and no server was stopped"


@dataclass(frozen=True)
class BackupRequest:
    """The choice of what to back up, and where to.

    ``folder``: the folder of all backups of this host. ``journal``: the path of the instance's
    journal. ``instance``: its survey record. ``data``: whether to back up the data, too.
    ``spare_bytes``: what must stay free. ``wait_s``: for how long the server may save.
    """

    folder: str
    journal: str
    instance: Mapping[str, Any]
    new_version: str
    data: bool
    spare_bytes: int
    wait_s: float


def back_up(server: Server, request: BackupRequest, clock: Clock) -> dict[str, Any]:
    """Make a backup, and return its facts (``backup.json``), with its ``folder``.

    Raises PreconditionFailed, with no server stopped, if it cannot be made or is damaged.
    """
    instance = request.instance
    port = server.address.port
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder = os.path.join(request.folder, f"{instance['kind']}-{port}-{instance['version']}-{stamp}")
    partial = os.path.join(request.folder, f"{instance['kind']}-{port}.partial")
    require_own_folder(request.folder)
    os.makedirs(request.folder, mode=0o700, exist_ok=True)
    remove_tree(partial)  # a killed run left it
    os.mkdir(partial, 0o700)
    try:
        facts = {
            "schema": SCHEMA,
            **{name: instance[name] for name in ("kind", "server", "version", "config_file")},
            "new_version": request.new_version,
            "made_s": int(time.time()),  # never after now: see is_recent
            "address": str(server.address),
            "files": _copy_configuration(server, instance, partial),
            **(_data(server, request, partial, clock) if request.data else {}),
        }
        write_journal(os.path.join(partial, MANIFEST), facts)
        os.rename(partial, folder)
    except BaseException:
        remove_tree(partial)
        raise
    sync_folder(None, request.folder)
    _record(request.journal, {**facts, "folder": folder})
    return {**facts, "folder": folder}


def journal_field(data: bool) -> str:
    """Return the field of the journal with the facts of a backup, of data or of configuration."""
    return "backup" if data else "configuration_backup"


def is_recent(backup: Mapping[str, Any]) -> bool:
    """Return whether a backup need not be made again by a run that repeats a step."""
    return "data" not in backup or 0 <= time.time() - backup["made_s"] < _RECENT_S


def _record(journal: str, facts: Mapping[str, Any]) -> None:
    known = read_journal(journal)
    if known is not None:
        write_journal(journal, {**known, journal_field("data" in facts): dict(facts)})


def read_backup(folder: str, advice: str = "Put a whole copy there, or stay on the new version") -> dict[str, Any]:
    """Return the facts of a backup, whose data file was compared with them.

    Raises PreconditionFailed, with nothing touched, if it is not there, torn, or without data.
    """
    facts, path = read_journal(os.path.join(folder, MANIFEST)), os.path.join(folder, DATA)
    told: dict[str, Any] = {
        "state": "Nothing was touched",
        "advice": advice,
        "untouched": True,
    }
    if facts is None or "data" not in facts:
        raise PreconditionFailed(f"there is no backup of data in {folder}", **told)
    try:
        with open(path, "rb") as file:
            size, digest = _digest(file)
    except OSError as error:
        raise PreconditionFailed(f"the backup {path} cannot be read: {error}", **told) from error
    if (size, digest) != (facts["data"]["bytes"], facts["data"]["sha256"]):
        raise PreconditionFailed(
            f"the backup {path} is damaged: it has {size} bytes with SHA-256 {digest}, and had {facts['data']['bytes']} with "
            f"{facts['data']['sha256']}",
            **told,
        )
    return {**facts, "folder": folder}


def check_backup(folder: str, version: str, data_folder: str) -> dict[str, Any]:
    """Return the facts of a whole backup of a version, if there is room for it in a folder.

    The server saves the newer data there, too. Raises PreconditionFailed, with nothing touched.
    """
    facts = read_backup(folder)
    require_version(facts, version)
    needed, free = 2 * int(facts["data"]["bytes"]), free_bytes(data_folder)
    if needed > free:
        raise PreconditionFailed(
            f"{data_folder} has {readable_size(free)} free, and the data of the backup and the newer data need {readable_size(needed)}",
            state="Nothing was touched",
            advice="Free disk space on that file system",
        )
    return facts


def require_version(backup: Mapping[str, Any], version: str) -> None:
    """Raise PreconditionFailed, with nothing touched, if a backup is of another version."""
    if backup["version"] != version:
        raise PreconditionFailed(
            f"the backup in {backup['folder']} is of version {backup['version']}, and {version} is to run",
            state="Nothing was touched",
            advice="Name the backup of that version",
            untouched=True,
        )


def _digest(file: BinaryIO, copy: BinaryIO | None = None) -> tuple[int, str]:
    """Read a file to its end, and write it to ``copy``; return size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    whole = max(os.fstat(file.fileno()).st_size, 1)
    for chunk in iter(lambda: file.read(_CHUNK), b""):
        digest.update(chunk)
        size += len(chunk)
        PROGRESS.tell(lambda size: f"{'reading' if copy is None else 'copying'} {file.name}, {100 * size / whole:.0f} %", size)
        if copy is not None:
            copy.write(chunk)
    return size, digest.hexdigest()


# -- configuration


def _copy_configuration(server: Server, instance: Mapping[str, Any], folder: str) -> list[str]:
    """Copy the configuration and ACL files; return their paths on the host."""
    paths = [str(instance["config_file"] or "")]
    if instance["kind"] == "redis":
        with contextlib.suppress(CommandRefused):
            paths.append(config_values(server, "aclfile").get("aclfile", ""))
    found = [path for path in paths if path and os.path.isfile(path)]
    for path in found:
        _copy(path, os.path.join(folder, os.path.basename(path)))
    return found


def _copy(source: str, target: str) -> tuple[int, str]:
    """Copy a file with its owner and mode; return size and SHA-256."""
    with open(source, "rb", opener=as_owner) as file, open(target, "xb", opener=_private) as copy:
        copied = _digest(file, copy)
        copy.flush()
        if os.geteuid() == 0:
            FileIdentity.of(file.fileno()).apply_to(copy.fileno())
        os.fsync(copy.fileno())
    return copied


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# -- data


def _data(server: Server, request: BackupRequest, folder: str, clock: Clock) -> dict[str, Any]:
    """Have the server save its data, and copy and check the file."""
    values = config_values(server, "dir", "dbfilename")
    source, target = os.path.join(values["dir"], values["dbfilename"]), os.path.join(folder, DATA)
    _save(server, request.wait_s, clock)
    try:
        size = os.stat(source).st_size
    except OSError as error:
        raise PreconditionFailed(
            f"the server has saved its data, and {source} is not on this host: {error}",
            node=str(server.address),
            state=_UNTOUCHED,
            advice="Back it up with means of your own, and set redis_upgrade_backup: false and redis_upgrade_accept_no_way_back: true",
        ) from error
    free = free_bytes(request.folder)
    if size + request.spare_bytes > free:
        raise PreconditionFailed(
            f"{request.folder} has {readable_size(free)} free, and the data file has {readable_size(size)}; "
            f"{readable_size(request.spare_bytes)} must stay free",
            node=str(server.address),
            state=_UNTOUCHED,
            advice="Free disk space, or set redis_upgrade_backup_folder to a folder on another file system",
        )
    copied, digest = _copy(source, target)
    PROGRESS.tell(lambda: f"checking the copy of {source}", blocks=True)
    found = check_rdb(str(request.instance["executable"]), target, _CHECK_S)
    return {"data": {"bytes": copied, "sha256": digest, **asdict(found)}}


def _save(server: Server, wait_s: float, clock: Clock) -> None:
    """Have the server save its data in the background (BGSAVE), and wait until that has ended."""

    def look() -> dict[str, str]:
        return parse_info(server.command("INFO", "persistence"))

    def idle(seen: Mapping[str, str]) -> bool:
        return all(seen.get(name, "0") == "0" for name in ("rdb_bgsave_in_progress", "aof_rewrite_in_progress"))

    waited = until(look, idle, deadline_s=wait_s, interval_s=0.2, clock=clock, says=saving)
    if waited.satisfied:
        try:
            server.command("BGSAVE")
        except CommandRefused as refused:
            raise _not_saved(server, refused.reply) from refused
        waited = until(look, idle, deadline_s=wait_s, interval_s=0.1, clock=clock, says=saving)
        if waited.satisfied and waited.seen.get("rdb_last_bgsave_status") == "ok":
            return
    status = waited.seen.get("rdb_last_bgsave_status")
    raise _not_saved(server, f"its last background save: {status}" if waited.satisfied else f"not ready after {wait_s:g} s")


def _not_saved(server: Server, reason: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"the server cannot save its data (BGSAVE): {reason}",
        node=str(server.address),
        state=_UNTOUCHED,
        advice="Its log says why: often the disk is full, or a fork needs more memory. redis_upgrade_backup_timeout_s says how long it may "
        "take",
    )
