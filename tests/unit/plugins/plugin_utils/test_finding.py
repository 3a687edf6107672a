"""Findings: their shape, and their documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.plugin_utils._finding import CHECKS, WARNING, Finding, named, preflight_result

ROOT = Path(__file__).resolve().parents[4]
REFUSED, WARNED = Finding("a", "s", "w", "d", "link"), Finding("b", "s", "w", "d", "clock", WARNING)


def test_the_documentation_has_every_check_and_no_other() -> None:
    text = (ROOT / "docs" / "preflight.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (refusal|warning) \|", text, re.MULTILINE)
    assert list(dict.fromkeys(check for check, _severity in rows)) == list(CHECKS), "in the same order"
    assert len(rows) == len(set(rows))


def test_every_check_is_made_somewhere() -> None:
    folder = ROOT / "plugins" / "plugin_utils"
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py") if path.name != "_finding.py")
    assert [check for check in CHECKS if f'"{check}"' not in sources] == []


def test_a_name_is_given_once() -> None:
    (finding,) = named("files", [Finding("a", "s", "w", "d")])
    assert finding.check == "files"
    assert named("files", [REFUSED]) == [REFUSED]


@pytest.mark.parametrize(("found", "ready", "order"), [([], True, []), ([WARNED], True, ["b"]), ([WARNED, REFUSED], False, ["a", "b"])])
def test_the_result(found: list[Finding], ready: bool, order: list[str]) -> None:
    result = preflight_result("7.0.15", found)
    assert (result["version"], result["ready"], result["refusals"]) == ("7.0.15", ready, 0 if ready else 1)
    assert [one["node"] for one in result["findings"]] == order
    assert [one["nodes"] for one in result["findings"]] == [[name] for name in order]
    assert all(one["text"] == f"{one['node']}: s. w. d." for one in result["findings"])


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding("a", "it is so", "That matters", "Change it"), "a: it is so. That matters. Change it."),
        (Finding("a", "it is so", "That matters", "Nothing"), "a: it is so. That matters. To do: nothing."),
        (Finding("a", "it is so", "That matters", "Nothing, if so"), "a: it is so. That matters. To do: nothing, if so."),
        (Finding("a", "it said: disabled.", "That matters", "Is it right?"), "a: it said: disabled. That matters. Is it right?"),
    ],
)
def test_a_finding_is_sentences(finding: Finding, text: str) -> None:
    assert str(finding) == text
