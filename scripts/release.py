"""Check that everything fits a release, and write its notes and its checksum.

usage: release.py check
       release.py notes ARCHIVE
       release.py version VERSION

"check" prints all that does not fit the version in galaxy.yml, and fails if there is something.
"notes" writes the changelog of that version, and a SHA-256, beside the archive, and prints how to
publish it. "version" writes another version to galaxy.yml, and to all links that name the version.
All of them work on the checkout that is the working directory.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

VERSION = re.compile(r"\d+\.\d+\.\d+")
# The changelog of an older version keeps the links to that version.
KEPT = (":!CHANGELOG.md", ":!changelogs")
GALAXY = "ANSIBLE_GALAXY_SERVER_LIST=galaxy ANSIBLE_GALAXY_SERVER_GALAXY_URL=https://galaxy.ansible.com/"
GENERATED = Path(".cache/release/CHANGELOG.md")


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    return loaded


def git(*words: str) -> str:
    """Return the output of git, empty if git finds nothing (exit code 1); raise if git fails."""
    done = subprocess.run(["git", *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode > 1:
        done.check_returncode()
    return done.stdout.strip()


def links(repository: str) -> Iterator[tuple[Path, re.Pattern[str]]]:
    """Yield each tracked file with links to the repository, and the pattern of their version."""
    pattern = re.compile(rf"(?<={re.escape(repository)}/blob/){VERSION.pattern}(?=/)")
    for name in git("grep", "-lI", "--fixed-strings", f"{repository}/blob/", "--", ".", *KEPT).splitlines():
        yield Path(name), pattern


def write_changelog(target: Path, *options: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["antsibull-changelog", "generate", *options, "--output", str(target)], check=True)


def changelog_problems(version: str) -> Iterator[str]:
    """Yield what the changelog lacks for the version."""
    releases = sorted(load("changelogs/changelog.yaml")["releases"], key=lambda name: [int(part) for part in name.split(".")])
    if not releases or releases[-1] != version:
        yield f"galaxy.yml says {version}, the newest version in changelogs/changelog.yaml is {releases[-1] if releases else 'none'}"
    fragments = sorted(path.name for path in Path("changelogs/fragments").glob("*.y*ml"))
    if fragments:
        yield f"changelogs/fragments still has {', '.join(fragments)}: run antsibull-changelog release"
    if releases:
        write_changelog(GENERATED)
        written = Path("CHANGELOG.md")
        if not written.exists() or written.read_bytes() != GENERATED.read_bytes():
            yield "CHANGELOG.md is not what changelogs/changelog.yaml says: run antsibull-changelog generate"


def problems() -> Iterator[str]:
    """Yield all that does not fit a release of the version in galaxy.yml."""
    galaxy = load("galaxy.yml")
    version = galaxy["version"]
    if not VERSION.fullmatch(version):
        yield f"galaxy.yml says {version}, which is no version of three numbers"
        return
    yield from changelog_problems(version)
    for path, pattern in links(galaxy["repository"]):
        for other in sorted(set(pattern.findall(path.read_text(encoding="utf-8"))) - {version}):
            yield f"{path} links to {other}: run scripts/release.py version {version}"
    changed = git("status", "--porcelain")
    if changed:
        yield f"the tree is not clean:\n{changed}"
    tagged = git("rev-parse", "--verify", "--quiet", f"refs/tags/{version}^{{commit}}")
    if tagged and tagged != git("rev-parse", "HEAD"):
        yield f"the tag {version} exists already, at another commit"


def check() -> int:
    found = list(problems())
    print(*(f"release: {problem}" for problem in found or ["everything fits the version"]), sep="\n")
    return 1 if found else 0


def write_notes(archive: Path) -> int:
    """Write notes and checksum beside the archive, in which the version is expected."""
    version = load("galaxy.yml")["version"]
    base = archive.name.removesuffix(".tar.gz")
    if not base.endswith(f"-{version}"):
        print(f"release: {archive} is not an archive of {version}")
        return 1
    notes = archive.with_name(f"{base}-notes.md")
    write_changelog(notes.absolute(), "--only-latest")
    checksum = archive.with_name(f"{archive.name}.sha256")
    checksum.write_text(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n", encoding="utf-8")
    major, minor, _patch = version.split(".")
    print(
        f"release {version}:",
        *(f"  {path}" for path in (archive, checksum, notes)),
        "To publish it, push the tag; the workflow release.yml does the rest:",
        f"  git tag --annotate --message {version} {version} && git push origin {version}",
        "Without the workflow, after the tag, with ANSIBLE_GALAXY_SERVER_GALAXY_TOKEN exported:",
        f"  {GALAXY} scripts/run ansible-galaxy collection publish {archive}",
        "Afterwards, begin the next version:",
        f"  scripts/run python scripts/release.py version {major}.{int(minor) + 1}.0",
        sep="\n",
    )
    return 0


def set_version(version: str) -> int:
    """Write a version to galaxy.yml and to all links, but for those of the changelog."""
    if not VERSION.fullmatch(version):
        print(f"release: {version} is no version of three numbers")
        return 1
    galaxy = Path("galaxy.yml")
    repository = load("galaxy.yml")["repository"]
    galaxy.write_text(re.sub(r"(?m)^version: .*$", f"version: {version}", galaxy.read_text(encoding="utf-8")), encoding="utf-8")
    for path, pattern in links(repository):
        path.write_text(pattern.sub(version, path.read_text(encoding="utf-8")), encoding="utf-8")
    print(git("diff", "--stat"))
    return 0


def main() -> int:
    match sys.argv[1:]:
        case ["check"]:
            return check()
        case ["notes", archive]:
            return write_notes(Path(archive))
        case ["version", version]:
            return set_version(version)
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
