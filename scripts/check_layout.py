"""Check which file imports which, and the size of files, classes and functions.

usage: check_layout.py [CHECKOUT]

module_utils is shipped to hosts, plugin_utils belongs to the controller. Both consist of wings, the
folders of WINGS and CONTROLLER_WINGS: a wing imports itself and the wings below it. Each violation
is printed, and any violation fails the check.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = ("ansible_collections", "sentinelops", "redis", "plugins")
# From the top down. Files beside the wings are below all of them.
WINGS = ("_survey", "_instance", "_handover", "_install", "_audit", "_topology", "_host", "_records", "_server")
CONTROLLER_WINGS = ("_progress", "_inventory", "_report", "_run", "_preflight", "_plan")
# What each kind of plugin may import of these two.
MAY_IMPORT = {
    "module_utils": {"module_utils"},
    "plugin_utils": {"module_utils", "plugin_utils"},
    "modules": {"module_utils"},
    "action": {"module_utils", "plugin_utils"},
    "callback": {"plugin_utils"},
    "doc_fragments": set(),
    "filter": {"plugin_utils"},
    "inventory": {"module_utils", "plugin_utils"},
    "lookup": {"plugin_utils"},
}
LARGEST = {"file": 350, "class": 250, "function": 40}
Parts = tuple[str, ...]


def imported(own: Parts, tree: ast.Module, files: set[Parts]) -> Iterator[tuple[int, Parts]]:
    """Yield the line and the path below ``plugins`` of each import of the collection's files."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                names = PACKAGE + own[: len(own) - node.level] + names
            targets = [(*names, alias.name) if (*names[4:], alias.name) in files else names for alias in node.names]
        elif isinstance(node, ast.Import):
            targets = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        yield from ((node.lineno, target[4:]) for target in dict.fromkeys(targets) if target[:4] == PACKAGE)


def height(parts: Parts) -> int:
    """Return the height of a file's wing among the wings of its kind; 0 for files beside them."""
    wings = WINGS if parts[0] == "module_utils" else CONTROLLER_WINGS
    if len(parts) < 3 or parts[1] not in wings:
        return 0
    return len(wings) - wings.index(parts[1])


def wrong_imports(own: Parts, imports: list[tuple[int, Parts]]) -> Iterator[tuple[int, str]]:
    """Yield the imports that the layout forbids."""
    for line, target in imports:
        name, allowed = "/".join(target), MAY_IMPORT.get(own[0], set())
        if target[0] not in allowed:
            yield line, f"imports {name}: {own[0]} may import {' and '.join(sorted(allowed)) or 'nothing of the collection'}"
        elif target[0] == own[0] and height(target) > height(own):
            yield line, f"imports {name}, which is in a wing above"


def unknown_wings(plugins: Path) -> Iterator[str]:
    """Yield the folders for which no rule exists."""
    for kind, wings in (("module_utils", WINGS), ("plugin_utils", CONTROLLER_WINGS)):
        for folder in sorted(path for path in (plugins / kind).glob("*/") if path.name != "__pycache__"):
            if folder.name not in wings:
                yield f"plugins/{kind}/{folder.name}: a wing that check_layout.py does not know: add it to its wings"


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


def too_large(name: str, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the file, the classes and the functions that exceed their limit of lines."""
    sizes = [("file", name, 1, len(text.splitlines()))]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            sizes.append((kind, node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1))
    for kind, owner, line, size in sizes:
        if size > LARGEST[kind]:
            yield line, f"{kind} {owner} has {size} lines, at most {LARGEST[kind]}"


def violations(plugins: Path) -> Iterator[str]:
    """Yield all violations below a folder of plugins."""
    yield from unknown_wings(plugins)
    graph: dict[str, set[str]] = {}
    paths = {path.relative_to(plugins).with_suffix("").parts: path for path in sorted(plugins.rglob("*.py"))}
    for own, path in paths.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        imports = list(imported(own, tree, set(paths)))
        graph["/".join(own)] = {"/".join(target) for _line, target in imports}
        for line, problem in [*wrong_imports(own, imports), *too_large(path.name, text, tree)]:
            yield f"plugins/{path.relative_to(plugins)}:{line}: {problem}"
    yield from circles(graph)


def main() -> int:
    checkout = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(violations(checkout / "plugins"))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"layout: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
