"""Links of the documentation: they name this version, and a file and a heading that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SPECS = ["*.md", "galaxy.yml", "docs/docsite/links.yml"]
LISTED = subprocess.run(["git", "ls-files", *SPECS], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
# antsibull-changelog writes CHANGELOG.md, with anchors of its own
TRACKED = [name for name in LISTED if name != "CHANGELOG.md"]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
REPOSITORY = GALAXY["repository"] + "/blob/"
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def targets(page: Path) -> list[str]:
    """Return the targets of all links, inline and by reference, outside of code blocks."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    found = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)]
    return found if page.suffix == ".md" else re.findall(rf"{re.escape(REPOSITORY)}\S+", text)


def problem(page: Path, target: str) -> str:
    """Return what is wrong with a link, or an empty text."""
    path, _hash, anchor = target.partition("#")
    file = page.parent / path if path else page
    if target.startswith(REPOSITORY):
        version, _slash, name = path.removeprefix(REPOSITORY).partition("/")
        if version != GALAXY["version"]:
            return f"names version {version}, galaxy.yml {GALAXY['version']}"
        file = ROOT / name
    elif "://" in target:
        return ""
    if not file.exists():
        return "no such file"
    return f"no heading {anchor}" if anchor and anchor not in headings(file) else ""


@pytest.mark.parametrize("name", TRACKED)
def test_links(name: str) -> None:
    page = ROOT / name
    assert {target: found for target in targets(page) if (found := problem(page, target))} == {}


def test_the_readme_is_read_on_galaxy() -> None:
    """Galaxy shows the README alone, so that a relative link leads nowhere."""
    found = targets(ROOT / "README.md")
    assert len(found) > 15
    assert [target for target in found if not target.startswith("https://")] == []


def test_references_are_defined() -> None:
    text = CODE.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    prose = re.sub(r"^\[[^\]]+\]: .*$", "", text, flags=re.MULTILINE)
    used = re.findall(r"\]\[([^\]]+)\]", prose) + re.findall(r"(?<!\])\[([a-z ]+)\](?![\[(])", prose)
    assert set(used) == set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))


def test_faulty_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title\n\n[a](#a-title) [b](#none) [c](none.md) [d](https://example.org)\n", encoding="utf-8")
    wrong = REPOSITORY + "9.9.9/README.md"
    assert [problem(page, target) for target in [*targets(page), wrong]] == [
        "",
        "no heading none",
        "no such file",
        "",
        f"names version 9.9.9, galaxy.yml {GALAXY['version']}",
    ]
