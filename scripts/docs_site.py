"""Build a site in .cache/docs/html: the pages of this repository, and all plugins and roles.

The generated pages are those of antsibull-docs, which also lints the documentation of plugins and
roles. Links within the repository become links within the site. Each warning is an error, such as
a link that leads nowhere. Runs with the Python of .cache/venv-docs: see "make docs".
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / ".cache" / "docs"
SOURCE = SITE / "source"
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
BLOB = f"{GALAXY['repository']}/blob/{GALAXY['version']}/"
LINK = re.compile(r"(\]\(|^\[[^\]]+\]: )([^)\s]+)", re.MULTILINE)
# Labels of Ansible's own documentation, to which the generated pages refer.
ANSIBLE = "https://docs.ansible.com/ansible/latest/"
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_collections.ansible.builtin.default_callback": "collections/ansible/builtin/default_callback.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
REFERENCE = re.compile(rf":ref:`(?:([^`<]+?) ?<)?({'|'.join(LABELS)})>?`")
# The order in which somebody needs them; all other pages follow by name.
FIRST = ("README", "docs/troubleshooting", "docs/cve-in-a-hurry", "docs/canary-window", "docs/host-maintenance", "docs/redis-to-valkey")
SETTINGS = {
    "project": "sentinelops.redis",
    "author": GALAXY["authors"][0],
    "version": GALAXY["version"],
    "release": GALAXY["version"],
    "extensions": "myst_parser,sphinx_antsibull_ext",
    "myst_heading_anchors": "4",
    "html_theme": "sphinx_ansible_theme",
    "html_title": f"sentinelops.redis {GALAXY['version']}",
    "html_copy_source": "0",
    "highlight_language": "text",
}


def pages() -> list[str]:
    """Return the Markdown files that git tracks, but for templates of GitHub."""
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return [name for name in tracked if not name.startswith(".github/")]


def within_the_site(name: str, text: str, known: set[str]) -> str:
    """Return a page whose links to other pages are relative, and those to other files absolute."""
    folder = os.path.dirname(name)

    def changed(match: re.Match[str]) -> str:
        path, sharp, anchor = match[2].removeprefix(BLOB).partition("#")
        if match[2].startswith(BLOB):
            target = path
        elif "://" in match[2] or not path:
            return match[0]
        else:
            target = os.path.normpath(os.path.join(folder, path))
        if target not in known and not (ROOT / target).exists():
            return match[0]  # a warning of Sphinx
        return match[1] + (os.path.relpath(target, folder or ".") if target in known else BLOB + target) + sharp + anchor

    return LINK.sub(changed, text)


def refer_to_ansible(folder: Path) -> None:
    """Turn the references to Ansible's documentation, which is not part of the site, into links."""
    for path in folder.glob("*.rst"):
        text = path.read_text(encoding="utf-8")
        path.write_text(REFERENCE.sub(lambda match: f"`{match[1] or match[2]} <{ANSIBLE}{LABELS[match[2]]}>`__", text), encoding="utf-8")


def write_pages() -> None:
    """Write all pages of the repository, and one with the contents of the site."""
    known = pages()
    for name in known:
        target = SOURCE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(within_the_site(name, (ROOT / name).read_text(encoding="utf-8"), set(known)), encoding="utf-8")
    names = [name.removesuffix(".md") for name in known]
    rest = [name for name in sorted(names, key=lambda name: (not name.startswith("docs/"), name)) if name not in FIRST]
    contents = ["```{toctree}", ":maxdepth: 1", *FIRST, "plugins/index", *rest, "```"]
    (SOURCE / "index.md").write_text("\n".join(["# sentinelops.redis", "", *contents, ""]), encoding="utf-8")


def run(*words: str) -> None:
    """Run a program of this environment; end with its exit code if that is not 0."""
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(ROOT / ".cache" / "home"),
        "ANSIBLE_HOME": str(ROOT / ".cache" / "home" / ".ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
    }
    print("+", " ".join(words), flush=True)
    code = subprocess.run([str(programs / words[0]), *words[1:]], cwd=ROOT, env=environment, check=False).returncode
    if code:
        sys.exit(code)


def main() -> None:
    shutil.rmtree(SITE, ignore_errors=True)
    generated = SOURCE / "plugins"
    generated.mkdir(parents=True)
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", ".")
    run("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--dest-dir", str(generated), "sentinelops.redis")
    refer_to_ansible(generated)
    write_pages()
    settings = [word for name, value in SETTINGS.items() for word in ("-D", f"{name}={value}")]
    run("sphinx-build", "-C", *settings, "-W", "--keep-going", "-q", "-b", "html", str(SOURCE), str(SITE / "html"))
    print(f"docs: {SITE.relative_to(ROOT)}/html/index.html")


if __name__ == "__main__":
    main()
