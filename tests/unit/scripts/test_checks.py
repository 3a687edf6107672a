"""The checks of layout and language find violations; ``make lint`` runs them on the checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
GOOD = '"""Answers."""\n\nANSWER = 42\n'


def check(script: str, argument: Path) -> tuple[int, str]:
    """Return the exit code and the output of a check."""
    done = subprocess.run([sys.executable, SCRIPTS / script, argument], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout of a few files that obey the layout."""
    names = (
        "modules/a",
        "module_utils/_errors",
        "module_utils/_server/low",
        "module_utils/_survey/high",
        "plugin_utils/_run/b",
        "inventory/c",
    )
    for name in names:
        file = tmp_path / "plugins" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(GOOD, encoding="utf-8")
    return tmp_path


def test_a_layout_without_violations(checkout: Path) -> None:
    allowed = {
        "modules/a.py": "from ..module_utils._survey.high import ANSWER\n",
        "module_utils/_survey/high.py": "from .._server import low\nfrom .._errors import ANSWER\n",
        "inventory/c.py": "from ..module_utils._errors import ANSWER\nfrom ..plugin_utils._run import b\n",
        "plugin_utils/_run/b.py": "from ansible_collections.sentinelops.redis.plugins.module_utils._server.low import ANSWER\n",
    }
    for name, text in allowed.items():
        (checkout / "plugins" / name).write_text(text, encoding="utf-8")
    assert check("check_layout.py", checkout) == (0, "layout: 0 violations\n")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "module_utils/_server/low.py",
            "from .._survey.high import ANSWER\n",
            "1: imports module_utils/_survey/high, which is in a wing above",
        ),
        ("module_utils/_server/low.py", "from .._survey import high\n", "1: imports module_utils/_survey/high, which is in a wing above"),
        ("module_utils/_errors.py", "from ._server.low import ANSWER\n", "1: imports module_utils/_server/low, which is in a wing above"),
        ("module_utils/_server/low.py", "from ...plugin_utils._run.b import ANSWER\n", "module_utils may import module_utils"),
        ("modules/a.py", "import ansible_collections.sentinelops.redis.plugins.plugin_utils._run.b\n", "modules may import module_utils"),
        ("doc_fragments/c.py", "from ..module_utils._errors import ANSWER\n", "doc_fragments may import nothing of the collection"),
        ("connection/d.py", "from ..module_utils._errors import ANSWER\n", "connection may import nothing of the collection"),
        ("module_utils/_new/e.py", GOOD, "plugins/module_utils/_new: a wing that check_layout.py does not know"),
        ("modules/a.py", "\n" * 351, "plugins/modules/a.py:1: file a.py has 351 lines, at most 350"),
        ("modules/a.py", "class A:\n" + "    a = 1\n" * 250, "plugins/modules/a.py:1: class A has 251 lines, at most 250"),
        ("modules/a.py", "\ndef f():\n" + "    f()\n" * 40, "plugins/modules/a.py:2: function f has 41 lines, at most 40"),
    ],
)
def test_a_violation_of_the_layout(checkout: Path, name: str, text: str, problem: str) -> None:
    file = checkout / "plugins" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    code, output = check("check_layout.py", checkout)
    assert code == 1
    assert problem in output
    assert output.endswith("layout: 1 violations\n")


def test_a_circle_of_imports(checkout: Path) -> None:
    (checkout / "plugins/module_utils/_server/low.py").write_text("from .other import ANSWER\n", encoding="utf-8")
    (checkout / "plugins/module_utils/_server/other.py").write_text("from .low import ANSWER\n", encoding="utf-8")
    circle = "a circle of imports: module_utils/_server/low -> module_utils/_server/other -> module_utils/_server/low"
    assert check("check_layout.py", checkout) == (1, f"{circle}\nlayout: 1 violations\n")


LONG = "word " * 21


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", f'"""Return nothing."""\n\nTEXT = "{LONG}"\n'),
        ("a.yml", f"a: {LONG}\n"),
        ("a.md", f"Prose.\n\n| {LONG} |\n\n```\n{LONG}\n```\n\n<https://example.org/{'a' * 100}>\n"),
    ],
)
def test_language_without_violations(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert check("check_language.py", tmp_path / name) == (0, "language: 0 violations in 1 files\n")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.py", '"""Whether it is."""\n', "1: a docstring that opens with 'Whether': begin with a verb or a noun"),
        ("a.py", 'def f():\n    """\n    How it is.\n    """\n', "2: a docstring that opens with 'How'"),
        ("a.py", f'"""Return nothing.\n\n{LONG}\n"""\n', "3: prose of 105 columns, at most 100"),
        ("a.py", f"# {LONG}\n", "1: prose of 107 columns, at most 100"),
        ("a.py", f'DOCUMENTATION = """\n{LONG}\n"""\n', "2: prose of 105 columns, at most 100"),
        ("a.yml", f"a: 1 # {LONG}\n", "1: prose of 112 columns, at most 100"),
        ("a.md", f"# Title\n\n{LONG}\n", "3: prose of 105 columns, at most 100"),
    ],
)
def test_a_violation_of_the_language(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    code, output = check("check_language.py", tmp_path / name)
    assert code == 1
    assert f"{tmp_path / name}:{problem}" in output
    assert output.endswith("language: 1 violations in 1 files\n")
