"""Import an archive of the collection as Galaxy does; any warning or error fails.

usage: importer.py ARCHIVE

Runs galaxy-importer with the Python that runs this script, that of .cache/venv-importer: see "make
importer". It checks the archive's manifest, reads all documentation, and runs ansible-lint on what
is in the archive. All files are written below .cache/importer of the working directory; what the
importer has found is in importer_result.json there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROBLEM = re.compile(r"^(?:WARNING|ERROR|CRITICAL|Traceback)\b.*", re.MULTILINE)
SETTINGS = {
    "CHECK_CHANGELOG": "True",
    "RUN_ANSIBLE_DOC": "True",
    "RUN_ANSIBLE_LINT": "True",
    # ansible-test needs a container in the importer; "make sanity" runs it without one.
    "RUN_ANSIBLE_TEST": "False",
}


def prepared(work: Path) -> dict[str, str]:
    """Make the folder of a run anew, and return the environment of the importer."""
    shutil.rmtree(work, ignore_errors=True)
    temporary, home = work / "tmp", work / "home"
    home.mkdir(parents=True)
    # ansible-lint looks for settings up to a folder with .git: those of the checkout do not count.
    (temporary / ".git").mkdir(parents=True)
    folders = {"TMP_ROOT_DIR": str(temporary), "ANSIBLE_LOCAL_TMP": str(work / "ansible")}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GALAXY_IMPORTER_"))},
        **{f"GALAXY_IMPORTER_{name}": value for name, value in (SETTINGS | folders).items()},
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def main() -> int:
    work = Path(".cache/importer").absolute()
    command = [sys.executable, "-m", "galaxy_importer.main", str(Path(sys.argv[1]).absolute())]
    environment = prepared(work)
    done = subprocess.run(command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, end="")
    problems = PROBLEM.findall(done.stdout)
    if done.returncode or problems or not (work / "importer_result.json").exists():
        print(f"importer: failed with exit code {done.returncode}, {len(problems)} warnings and errors", *problems, sep="\n  ")
        return 1
    print("importer: no warning and no error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
