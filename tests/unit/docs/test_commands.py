"""Commands of the documentation: playbooks, variables, modules, options and targets exist."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest
import yaml
from ansible.parsing.splitter import parse_kv
from ansible_collections.sentinelops.redis.plugins.doc_fragments.connection import ModuleDocFragment

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "roles").glob("*/README.md")), *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z][a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
FULL_NAME = "sentinelops.redis."
# Of the playbook handover; no role knows it.
OTHER_VARIABLES = {"redis_upgrade_handover_to"}
FLAGS = {"--check", "-v", "--ask-vault-pass"}
PARTS_OF_PLAYS = {"--tags": {"preflight"}}


def commands(page: Path) -> list[str]:
    """Return the commands in the console blocks of a page, without prompts and comments."""
    lines = [line for block in CONSOLE.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def role_options(role: str = "*") -> set[str]:
    """Return the names of all options of a role, or of all roles."""
    specs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "roles").glob(f"{role}/meta/argument_specs.yml")]
    return {name for spec in specs for entry in spec["argument_specs"].values() for name in entry.get("options", {})}


def module_options(name: str) -> set[str]:
    """Return the options that a module of the collection documents, those of the login included."""
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    (documentation,) = re.findall(r'^DOCUMENTATION = r"""\n(.*?)^"""', text, re.DOTALL | re.MULTILINE)
    fragments = [ModuleDocFragment.DOCUMENTATION, ModuleDocFragment.NODES]
    return {option for part in (documentation, *fragments) for option in yaml.safe_load(part).get("options", {})}


def problem_of_a_playbook(words: list[str]) -> str:
    """Return what is wrong with the arguments of ansible-playbook, or an empty text."""
    found = []
    while words:
        word, *words = words
        if word in FLAGS:
            continue
        if not word.startswith("-"):
            if not (ROOT / "playbooks" / f"{word.removeprefix(FULL_NAME)}.yml").exists() or not word.startswith(FULL_NAME):
                found.append(f"no playbook {word}")
            continue
        value, *words = words or [""]
        if word == "-e" and not value.startswith("@"):
            names = set(yaml.safe_load(value)) if value.startswith("{") else {value.partition("=")[0]}
            found += [f"no variable {name}" for name in sorted(names - role_options() - OTHER_VARIABLES)]
        elif word not in ("-i", "-e") and value not in PARTS_OF_PLAYS.get(word, ()):
            found.append(f"no option {word} {value}")
    return "; ".join(found)


def problem_of_a_module(words: list[str]) -> str:
    """Return what is wrong with the arguments of ansible, or an empty text."""
    given = dict(itertools.pairwise(words))
    name, arguments = given["-m"], parse_kv(given.get("-a", ""))
    if name == "ansible.builtin.include_role":
        role, entry = arguments["name"].removeprefix(FULL_NAME), arguments["tasks_from"]
        return "" if (ROOT / "roles" / role / "tasks" / f"{entry}.yml").exists() else f"no entry point {entry} of {role}"
    if not name.startswith(FULL_NAME) or not (ROOT / "plugins" / "modules" / f"{name.removeprefix(FULL_NAME)}.py").exists():
        return f"no module {name}"
    unknown = sorted(set(arguments) - module_options(name.removeprefix(FULL_NAME)))
    variables = sorted(set(re.findall(r"redis_upgrade_\w+", given.get("-a", ""))) - role_options())
    return "; ".join([*(f"no option {option}" for option in unknown), *(f"no variable {variable}" for variable in variables)])


def problem(command: str) -> str:
    """Return what is wrong with a command of this project, or an empty text."""
    words = shlex.split(command.partition(" # ")[0].partition(" | ")[0])
    while "&&" in words:
        words = words[words.index("&&") + 1 :]
    if words[0] == "ansible-playbook":
        return problem_of_a_playbook(words[1:])
    if words[0] == "ansible":
        return problem_of_a_module(words[1:])
    if words[0] == "make":
        return "; ".join(f"no target {word}" for word in words[1:] if "=" not in word and word not in TARGETS)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands(page: Path) -> None:
    assert {command: found for command in commands(page) if (found := problem(command))} == {}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("ansible-playbook -i inventory.yml sentinelops.redis.upgrde", "no playbook sentinelops.redis.upgrde"),
        ("ansible-playbook -i inventory.yml sentinelops.redis.plan -e redis_upgrade_canari=1", "no variable redis_upgrade_canari"),
        ("ansible-playbook sentinelops.redis.plan --tags stage", "no option --tags stage"),
        ("ansible all -m sentinelops.redis.redis_infos", "no module sentinelops.redis.redis_infos"),
        ("ansible all -m sentinelops.redis.redis_info_check -a 'versions=7.0.15'", "no option versions"),
        ("cd redis && make unitt # comment", "no target unitt"),
        ("cd ~ && ansible-galaxy collection install sentinelops.redis", ""),
    ],
)
def test_faulty_commands_are_found(command: str, found: str) -> None:
    assert problem(command) == found


def test_the_hurried_page_has_ten_commands() -> None:
    """It promises that, and one line may hold a change of the folder besides."""
    page = ROOT / "docs" / "cve-in-a-hurry.md"
    assert "in ten commands" in " ".join(page.read_text(encoding="utf-8").split())
    assert len(commands(page)) == 10
