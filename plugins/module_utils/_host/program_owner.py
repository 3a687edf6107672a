# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs that another user may have put where they are: as that user, never as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from .._owner import User, program_user

__all__ = ["change_user", "run_as_its_owner"]

_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")


def run_as_its_owner(
    arguments: Sequence[str], timeout_s: float, name: str = "", files: Sequence[int] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with standard output and standard error together.

    Root runs a program as the user who could replace it, without the environment of root, and in
    the program's folder, as that user may not enter the folders above. ``name``: the name that the
    program is told, by default its path. ``files``: descriptors that the program gets. Raises
    OSError and subprocess.TimeoutExpired.
    """
    # Any, since no overload of run() takes keywords of several types
    run: Any = partial(
        subprocess.run,
        [name or arguments[0], *arguments[1:]],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        pass_fds=files,
    )
    if os.geteuid() != 0:
        return run(executable=arguments[0])  # type: ignore[no-any-return]
    user, way = program_user(arguments[0])
    try:
        if user is None:
            return run(executable=arguments[0])  # type: ignore[no-any-return]
        environment = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        return run(  # type: ignore[no-any-return]
            executable=os.path.join(".", way.name),
            env=environment,
            start_new_session=True,
            # there are no threads here
            preexec_fn=_enter(way.folder, user),
        )
    finally:
        os.close(way.folder)


def _enter(folder: int, user: User) -> Callable[[], None]:
    def set_up() -> None:
        os.fchdir(folder)
        change_user(user.uid, user.gid, user.groups)

    return set_up


def change_user(uid: int, gid: int, groups: Sequence[int] | None) -> None:
    """Become a user for good; without ``groups`` with those of the user database."""
    try:
        if groups is not None:
            os.setgroups(groups)
        else:
            os.initgroups(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:  # a user id without a name
        os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
