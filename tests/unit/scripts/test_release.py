"""A release is refused while something does not fit; notes, checksum and another version."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "release.py"
REPOSITORY = "https://git.example/redis"
GALAXY = f"""namespace: example
name: redis
version: 1.2.0
repository: {REPOSITORY}
documentation: {REPOSITORY}/blob/1.2.0/README.md
"""
CONFIG = """title: example.redis
output_formats: [md]
changelog_filename_template: ../CHANGELOG.md
changelog_filename_version_depth: 0
changes_file: changelog.yaml
changes_format: combined
keep_fragments: false
notesdir: fragments
prelude_section_name: release_summary
sections: [[bugfixes, Bugfixes]]
"""
CHANGELOG = """ancestor: null
releases:
  1.2.0:
    release_date: '2026-11-28'
    changes: {bugfixes: [the newest fix]}
  1.1.0:
    release_date: '2026-10-28'
    changes: {bugfixes: [an earlier fix]}
"""
FITS = "release: everything fits the version\n"


class Checkout:
    """A checkout of a collection with a few files, in which everything fits version 1.2.0."""

    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "init", "--quiet", root], check=True)
        self.write(".gitignore", "/.cache\n/changelogs/.plugin-cache.yaml\n")
        self.write("galaxy.yml", GALAXY)
        self.write("README.md", f"[a]({REPOSITORY}/blob/1.2.0/a.md) [b]({REPOSITORY}/blob/main/b.md)\n")
        self.write("changelogs/config.yaml", CONFIG)
        self.write("changelogs/changelog.yaml", CHANGELOG)
        self.write("changelogs/fragments/.keep", "")
        subprocess.run(["antsibull-changelog", "generate"], cwd=root, check=True)
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@git.example"]
        subprocess.run(["git", *identity, *words], cwd=self.root, check=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a state")

    def release(self, *words: str) -> tuple[int, str]:
        """Return the exit code and the output of the script."""
        done = subprocess.run([sys.executable, SCRIPT, *words], cwd=self.root, capture_output=True, text=True, check=False, timeout=60)
        assert not done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_everything_fits(checkout: Checkout) -> None:
    assert checkout.release("check") == (0, FITS)
    checkout.git("tag", "1.2.0")
    assert checkout.release("check") == (0, FITS)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("changelogs/fragments/a.yml", "bugfixes: [a]\n", "changelogs/fragments still has a.yml: run antsibull-changelog release"),
        (
            "CHANGELOG.md",
            "old\n",
            "CHANGELOG.md is not what changelogs/changelog.yaml says: run antsibull-changelog generate",
        ),
        ("docs/a.md", f"{REPOSITORY}/blob/1.1.0/a.md\n", "docs/a.md links to 1.1.0: run scripts/release.py version 1.2.0"),
    ],
)
def test_a_file_that_does_not_fit(checkout: Checkout, name: str, text: str, problem: str) -> None:
    checkout.write(name, text)
    checkout.commit()
    assert checkout.release("check") == (1, f"release: {problem}\n")


def test_a_version_without_a_changelog(checkout: Checkout) -> None:
    """Versions are compared by their numbers: 1.10.0 follows 1.2.0."""
    checkout.write("changelogs/changelog.yaml", CHANGELOG.replace("1.1.0", "1.10.0"))
    checkout.commit()
    code, output = checkout.release("check")
    assert code == 1
    assert "release: galaxy.yml says 1.2.0, the newest version in changelogs/changelog.yaml is 1.10.0\n" in output


def test_no_changelog_at_all(checkout: Checkout) -> None:
    checkout.write("changelogs/changelog.yaml", "ancestor: null\nreleases: {}\n")
    checkout.commit()
    assert checkout.release("check") == (1, "release: galaxy.yml says 1.2.0, the newest version in changelogs/changelog.yaml is none\n")


def test_a_change_that_is_not_committed(checkout: Checkout) -> None:
    checkout.write("new", "")
    assert checkout.release("check") == (1, "release: the tree is not clean:\n?? new\n")


def test_a_tag_at_another_commit(checkout: Checkout) -> None:
    checkout.git("tag", "1.2.0")
    checkout.write("new", "")
    checkout.commit()
    assert checkout.release("check") == (1, "release: the tag 1.2.0 exists already, at another commit\n")


def test_notes_and_checksum(checkout: Checkout) -> None:
    checkout.write(".cache/build/example-redis-1.2.0.tar.gz", "the archive")
    code, output = checkout.release("notes", ".cache/build/example-redis-1.2.0.tar.gz")
    assert code == 0
    assert "git push origin 1.2.0\n" in output
    assert output.endswith("scripts/release.py version 1.3.0\n")
    notes = checkout.read(".cache/build/example-redis-1.2.0-notes.md")
    assert "the newest fix" in notes
    assert "an earlier fix" not in notes
    digest = hashlib.sha256(b"the archive").hexdigest()
    assert checkout.read(".cache/build/example-redis-1.2.0.tar.gz.sha256") == f"{digest}  example-redis-1.2.0.tar.gz\n"


def test_no_notes_for_the_archive_of_another_version(checkout: Checkout) -> None:
    checkout.write("example-redis-1.1.0.tar.gz", "the archive")
    assert checkout.release("notes", "example-redis-1.1.0.tar.gz") == (
        1,
        "release: example-redis-1.1.0.tar.gz is not an archive of 1.2.0\n",
    )
    assert not list(checkout.root.glob("*-notes.md"))


def test_another_version(checkout: Checkout) -> None:
    """The changelog keeps its links, since they belong to the version that it describes."""
    checkout.write("changelogs/changelog.yaml", CHANGELOG.replace("the newest fix", f"{REPOSITORY}/blob/1.2.0/a.md"))
    checkout.commit()
    assert checkout.release("version", "1.3.0")[0] == 0
    assert checkout.read("galaxy.yml") == GALAXY.replace("1.2.0", "1.3.0")
    assert checkout.read("README.md") == f"[a]({REPOSITORY}/blob/1.3.0/a.md) [b]({REPOSITORY}/blob/main/b.md)\n"
    assert f"{REPOSITORY}/blob/1.2.0/a.md" in checkout.read("changelogs/changelog.yaml")


def test_a_version_must_have_three_numbers(checkout: Checkout) -> None:
    assert checkout.release("version", "v1.3") == (1, "release: v1.3 is no version of three numbers\n")
    assert checkout.read("galaxy.yml") == GALAXY
