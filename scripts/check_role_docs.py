"""Check that the options of each role are the same wherever they are written down.

usage: check_role_docs.py [ROLE_FOLDER ...]    (default: every folder in roles/)

An option stands in four places: meta/argument_specs.yml, defaults/main.yml (unless it is required),
a table below "## Variables" in README.md, which may have groups ("### ..."), and the tasks that use
the option, per entry point. A table of entry points in README.md names all of them. Prints each
difference, and fails if there is one.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
# | `name` | `default`, or: required | meaning |
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?:`(?P<default>.+?)`|required) \| (?P<meaning>.*\S) \|$", re.MULTILINE)
NAME = re.compile(r"\b\w+\b")
TASK_FILE = re.compile(r"[\w{}/ ]+\.yml\b")
ENTRY_POINT = re.compile(r"^\| `(\w+)` \| [^|`]", re.MULTILINE)
# tasks/internal/restart_instance.yml serves both kinds of instances and names both logins; an entry
# point passes an instance of its own kind.
NEVER_USED = {"sentinel": "redis_upgrade_redis_(?!group)", "replica": "redis_upgrade_sentinel_(?!group)"}
# The entry point that checks the options of a run, and how a play includes others, unchecked.
CHECKS_STEPS = "preflight"
STEP = re.compile(r"(?:__redis_upgrade_entry_point: |tasks_from: (?=\w+\n +rolespec_validate: false))(\w+)")
# A variable that the role gives to the task files of the user, so not an option.
GIVEN = {"redis_upgrade_hook"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def options_of(specs: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return all options, and the names of those that several entry points describe differently."""
    found: dict[str, Any] = {}
    differing = set()
    for spec in specs.values():
        for name, option in spec.get("options", {}).items():
            if found.setdefault(name, option) != option:
                differing.add(name)
    return found, sorted(differing)


def check_defaults(options: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    found = [f"{name} has a default and is in no entry point of argument_specs" for name in sorted(defaults.keys() - options.keys())]
    for name, option in options.items():
        required = option.get("required", False)
        if required and name in defaults:
            found.append(f"{name} is required and has a value in defaults/main.yml")
        elif not required and name not in defaults:
            found.append(f"{name} is not required and has no value in defaults/main.yml")
        elif not required and ("default" not in option or differ(option["default"], defaults[name])):
            found.append(f"{name}: argument_specs says {option.get('default')!r}, defaults/main.yml {defaults[name]!r}")
        if re.search(r"password|secret|token", name) and not option.get("no_log"):
            found.append(f"{name} lacks no_log")
    return found


def differ(one: Any, other: Any) -> bool:
    return (type(one), one) != (type(other), other)  # True == 1 in Python


def check_entry_points(specs: dict[str, Any], readme: str) -> list[str]:
    text = readme.partition("\n| entry point |")[2].partition("\n\n")[0]
    named = ENTRY_POINT.findall(text)
    wanted = [name for name in specs if name != "main"] if text else []
    return [f"README: the entry points are {', '.join(named)}, not {', '.join(wanted)}"] if sorted(named) != sorted(wanted) else []


def check_readme(options: dict[str, Any], readme: str) -> list[str]:
    text = readme.partition("\n## Variables\n")[2].partition("\n## ")[0]
    matches = list(ROW.finditer(text))
    rows = {row["name"]: row for row in matches}
    # a row in another form is no row: say so, rather than that the option is missing
    found = [f"README: not understood: {line}" for line in text.splitlines() if line.startswith("| `") and not ROW.match(line)]
    found += [f"README: {name} is in {count} rows" for name, count in Counter(row["name"] for row in matches).items() if count > 1]
    found += [f"README: {name} is in no entry point of argument_specs" for name in sorted(rows.keys() - options.keys())]
    for name, option in options.items():
        if name not in rows:
            found.append(f"README: {name} is not in the table")
            continue
        written = rows[name]["default"]
        wanted = "required" if option.get("required") else option.get("default")
        if differ("required" if written is None else yaml.safe_load(written), wanted):
            found.append(f"README: {name} is {written or 'required'}, argument_specs says {wanted!r}")
        missing = [choice for choice in option.get("choices", []) if f"`{choice}`" not in rows[name]["meaning"]]
        if missing:
            found.append(f"README: {name} does not explain {', '.join(missing)}")
    return found


def text_of(role: Path, entry: str) -> str:
    """Return the text of an entry point and of the task files that it includes.

    If the name of an included file is computed, all files that are no entry points count.
    """
    entries = {f"{name}.yml" for name in load(role / "meta" / "argument_specs.yml")["argument_specs"]}
    waiting, seen, text = [f"{entry}.yml"], set(), ""
    while waiting:
        name = waiting.pop()
        if name in seen or not (role / "tasks" / name).exists():
            continue
        seen.add(name)
        text += (content := (role / "tasks" / name).read_text(encoding="utf-8"))
        for reference in TASK_FILE.findall(content):
            computed = "}" in reference
            if computed:
                names = (str(path.relative_to(role / "tasks")) for path in (role / "tasks").rglob("*.yml"))
                waiting += [other for other in names if other not in entries]
            else:
                waiting.append(reference.strip())
    if ".j2" in text:
        text += "".join(path.read_text(encoding="utf-8") for path in sorted((role / "templates").iterdir()))
    return text


def used_by(role: Path, entry: str) -> set[str]:
    """Return the options that an entry point uses, directly or through vars/main.yml."""
    variables = {name: yaml.safe_dump(value) for name, value in (load(role / "vars" / "main.yml") or {}).items()}
    waiting, seen = [text_of(role, entry)], set()
    while waiting:
        names = set(NAME.findall(waiting.pop())) - seen
        seen |= names
        waiting += [variables[name] for name in names & variables.keys()]
    return {name for name in seen if name.startswith(f"{role.name}_")} - GIVEN


def steps(playbooks: Path) -> set[str]:
    """Return the entry points that the playbooks include as steps of a run."""
    return {name for path in playbooks.rglob("*.yml") for name in STEP.findall(path.read_text(encoding="utf-8"))}


def check_use(role: Path, specs: dict[str, Any]) -> list[str]:
    found = []
    of_steps = {name for step in steps(role.parent.parent / "playbooks") for name in specs.get(step, {}).get("options", {})}
    for entry, spec in specs.items():
        if not (role / "tasks" / f"{entry}.yml").exists():
            found.append(f"entry point {entry}: there is no tasks/{entry}.yml")
            continue
        listed = spec.get("options", {}).keys()
        used = {name for name in used_by(role, entry) if not re.match(NEVER_USED.get(entry, " "), name)}
        used |= of_steps if entry == CHECKS_STEPS else set()
        found += [f"entry point {entry}: {name} is listed and not used" for name in sorted(listed - used)]
        found += [f"entry point {entry}: {name} is used and not listed" for name in sorted(used - listed)]
    return found


def check(role: Path) -> list[str]:
    specs = load(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    if not specs:
        return ["there are no argument_specs"]
    options, differing = options_of(specs)
    readme = role / "README.md"
    return [
        *(f"{name} is described differently by several entry points" for name in differing),
        *check_defaults(options, load(role / "defaults" / "main.yml") or {}),
        *check_entry_points(specs, text := readme.read_text(encoding="utf-8") if readme.exists() else ""),
        *check_readme(options, text),
        *check_use(role, specs),
    ]


def main() -> int:
    roles = [Path(argument) for argument in sys.argv[1:]] or sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
    found = {role.name: check(role) for role in roles}
    for name, problems in found.items():
        for problem in problems:
            print(f"{name}: {problem}", file=sys.stderr)
    if not roles:
        print("there are no roles to check", file=sys.stderr)
    return 1 if not roles or any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
