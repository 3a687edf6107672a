"""Check where code lives: which file may import which, and how large files, classes and functions are.

usage: check_layout.py

module_utils is shipped to hosts, plugin_utils is the controller's. Each is a pile of wings, the
folders of WINGS and CONTROLLER_WINGS: a wing imports itself and the wings below it. Prints each violation, and fails if
there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ROOT / "plugins"
PACKAGE = ("ansible_collections", "sentinelops", "redis", "plugins")
# From the top down. Files beside the wings are below all of them.
WINGS = ("_survey", "_instance", "_handover", "_install", "_audit", "_topology", "_host", "_records", "_server")
CONTROLLER_WINGS = ("_run", "_preflight", "_plan")
# What each kind of plugin may import of these two.
MAY_IMPORT = {
    "module_utils": {"module_utils"},
    "plugin_utils": {"module_utils", "plugin_utils"},
    "modules": {"module_utils"},
    "callback": {"plugin_utils"},
    "doc_fragments": set(),
    "filter": {"plugin_utils"},
    "lookup": {"plugin_utils"},
}
LARGEST = {"file": 350, "class": 250, "function": 40}


def imported(path: Path, tree: ast.Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the path below ``plugins`` of each import of the collection's own files."""
    here = path.relative_to(PLUGINS).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = here[: len(here) - node.level + 1]
                yield node.lineno, base + names
            elif names[:4] == PACKAGE:
                yield node.lineno, names[4:]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names = tuple(alias.name.split("."))
                if names[:4] == PACKAGE:
                    yield node.lineno, names[4:]


def height(parts: tuple[str, ...]) -> int:
    """Return how high in its pile a file is; 0 for files beside the wings."""
    wings = WINGS if parts[0] == "module_utils" else CONTROLLER_WINGS
    if len(parts) < 3 or parts[1] not in wings:
        return 0
    return len(wings) - wings.index(parts[1])


def wrong_imports(path: Path, tree: ast.Module) -> Iterator[str]:
    own = path.relative_to(PLUGINS).with_suffix("").parts
    for line, target in imported(path, tree):
        where = f"{path.relative_to(ROOT)}:{line}: imports {'/'.join(target)}"
        if target[0] not in MAY_IMPORT[own[0]]:
            yield f"{where}: {own[0]} may import {' and '.join(sorted(MAY_IMPORT[own[0]])) or 'nothing of the collection'}"
        elif target[0] == own[0] and height(target) > height(own):
            yield f"{where}, which is in a wing above"


def unknown_wings() -> Iterator[str]:
    for kind, wings in (("module_utils", WINGS), ("plugin_utils", CONTROLLER_WINGS)):
        for folder in sorted(path for path in (PLUGINS / kind).iterdir() if path.is_dir() and path.name != "__pycache__"):
            if folder.name not in wings:
                yield f"{folder.relative_to(ROOT)}: a wing that check_layout.py does not know: say what it may import"


def circles(graph: dict[str, set[str]]) -> Iterator[str]:
    """Yield each circle of files that import each other."""
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> Iterator[str]:
        if name in trail:
            yield "a circle of imports: " + " -> ".join([*trail[trail.index(name) :], name])
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                yield from walk(other, [*trail, name])
            done.add(name)

    for name in sorted(graph):
        yield from walk(name, [])


def too_large(path: Path, text: str, tree: ast.Module) -> Iterator[str]:
    sizes = [("file", path.name, 1, len(text.splitlines()))]
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            sizes.append((kind, node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1))
    for kind, name, line, size in sizes:
        if size > LARGEST[kind]:
            yield f"{path.relative_to(ROOT)}:{line}: {kind} {name} has {size} lines, at most {LARGEST[kind]}"


def violations() -> Iterator[str]:
    yield from unknown_wings()
    graph: dict[str, set[str]] = {}
    for path in sorted(PLUGINS.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        yield from wrong_imports(path, tree)
        yield from too_large(path, text, tree)
        graph["/".join(path.relative_to(PLUGINS).with_suffix("").parts)] = {"/".join(target) for _line, target in imported(path, tree)}
    yield from circles(graph)


def main() -> int:
    found = list(violations())
    print(*found, sep="\n", end="\n" if found else "")
    print(f"layout: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
