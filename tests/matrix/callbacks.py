"""Callbacks that record a run: json of ansible.posix, junit of ansible-core, and ARA."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from itertools import dropwhile
from pathlib import Path
from xml.etree import ElementTree

from cells import Controller
from interpreters import wheel_of_collections
from trial import Station

ARA = "ara[server]"
# At each start ARA prints to standard output how it prepares its database.
SAID_BY_ARA = ("[ara] ", "Operations to perform:", "  Apply", "Running migrations:", "  No migrations")
JSON = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}


def install_posix(station: Station, controller: Controller) -> None:
    """Unpack the collection ansible.posix where a controller looks for collections."""
    with zipfile.ZipFile(wheel_of_collections(controller)) as wheel:
        members = [name for name in wheel.namelist() if name.startswith("ansible_collections/ansible/posix/")]
        wheel.extractall(station.home / ".ansible" / "collections", members)


def after_ara(output: str) -> str:
    """Return the output of a run from the first line that is not of ARA."""
    return "".join(dropwhile(lambda line: line.startswith(SAID_BY_ARA), output.splitlines(keepends=True)))


class Recorders:
    """junit and ARA, which record the runs of a station in a folder, beside Ansible's own log."""

    def __init__(self, station: Station, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        plugins = station.run("python", "-m", "ara.setup.callback_plugins").strip()
        self.variables = {
            "ANSIBLE_CALLBACK_PLUGINS": plugins,
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit,ara_default",
            "ANSIBLE_LOG_PATH": str(self.folder / "ansible.log"),
            "JUNIT_OUTPUT_DIR": str(self.folder / "junit"),
            "ARA_BASE_DIR": str(self.folder / "ara"),
            "ARA_API_CLIENT": "offline",
        }

    def junit(self) -> list[ElementTree.Element]:
        """Return the root of each file that junit has written, the newest last."""
        files = sorted((self.folder / "junit").glob("*.xml"), key=lambda path: path.stat().st_mtime_ns)
        return [ElementTree.parse(path).getroot() for path in files]

    def ara(self) -> list[tuple[str, str]]:
        """Return the file name and the status of each playbook that ARA has recorded."""
        with closing(sqlite3.connect(self.folder / "ara" / "ansible.sqlite")) as database:
            rows = database.execute("SELECT path, status FROM playbooks ORDER BY id").fetchall()
        return [(Path(path).name, status) for path, status in rows]
