"""Check the language of docstrings, comments and documentation.

usage: check_language.py [FILE...]  (default: all files that git tracks)

A docstring opens with a verb or a noun, not with a question word: "Return whether ...", not
"Whether ...". Prose is wrapped at 100 columns: docstrings, comments, the documentation of modules,
and Markdown outside of tables, code and URLs. Each violation is printed, and any violation fails
the check.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 100
OPENINGS = {"What", "Whether", "Where", "Who", "Whom", "Whose", "Which", "Why", "How", "When", "That"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MODULE_DOCUMENTATION = {"DOCUMENTATION", "RETURN"}
GENERATED = ("LICENSE", "changelogs/changelog.yaml", "CHANGELOG.md")
Found = Iterator[tuple[int, str]]


def too_long(first: int, lines: list[str]) -> Found:
    """Yield the lines that exceed the limit, unless they hold a URL."""
    for number, line in enumerate(lines, first):
        if len(line) > COLUMNS and "://" not in line:
            yield number, f"prose of {len(line)} columns, at most {COLUMNS}"


def prose_nodes(tree: ast.Module) -> Iterator[tuple[ast.Constant, bool]]:
    """Yield each docstring, with True, and each documentation string of a module, with False."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                yield first.value, True
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if names & MODULE_DOCUMENTATION:
                yield node.value, False


def in_python(text: str) -> Found:
    """Yield the violations in a Python file."""
    lines = text.splitlines()
    for node, is_docstring in prose_nodes(ast.parse(text)):
        opening = re.match(r"\W*(\w+)", str(node.value))
        if is_docstring and opening and opening[1] in OPENINGS:
            yield node.lineno, f"a docstring that opens with '{opening[1]}': begin with a verb or a noun"
        yield from too_long(node.lineno, lines[node.lineno - 1 : node.end_lineno])
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from too_long(token.start[0], [lines[token.start[0] - 1]])


def in_yaml(text: str) -> Found:
    """Yield the violations in the comments of a YAML file."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"(^|\s)# ", line) and not re.search(r"['\"][^'\"]*# [^'\"]*['\"]", line):
            yield from too_long(number, [line])


def in_markdown(text: str) -> Found:
    """Yield the violations in a Markdown file."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith("|"):
            yield from too_long(number, [line])


CHECKS = {".py": in_python, ".yml": in_yaml, ".yaml": in_yaml, ".md": in_markdown}


def main() -> int:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    names = sys.argv[1:] or [name for name in tracked if not name.startswith(GENERATED)]
    count = 0
    for name in names:
        path = ROOT / name
        if path.suffix in CHECKS and path.exists():
            for line, problem in CHECKS[path.suffix](path.read_text(encoding="utf-8")):
                print(f"{name}:{line}: {problem}")
                count += 1
    print(f"language: {count} violations in {len(names)} files")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
