# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reason why a new server refused its configuration, from the server's output."""

from __future__ import annotations

import re
from typing import NamedTuple

from .._server.config_file import split_args
from .._server.log import judge_log
from .._server.secret_directives import secrets_of
from .config_trial_files import TrialConfig, TrialFile

__all__ = ["Refusal", "explain"]

_LOG_PREFIX = re.compile(r"^\d+:[A-Z] \d+ \w+ \d{4} [\d:.]+ [.\-*#] ")
# Messages about a line without its number, since the server has read the whole file by then.
_NAMED = {"user": re.compile(r"for the user named '(.*?)'"), "loadmodule": re.compile(r"Can't load module from (.*?):")}


class Refusal(NamedTuple):
    """The reason why a server did not start, in the server's own words, and the refused line.

    ``file`` is empty and ``line`` 0 if the server refused no line of a file. ``text``: the line,
    without secrets.
    """

    reason: str
    file: str
    line: int
    text: str
    output: list[str]

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}: " if self.file else ""
        return f"{where}{self.text + ': ' if self.text else ''}{self.reason}"


def explain(output: str, config: TrialConfig) -> Refusal:
    """Return the reason in a failed server's output, without secrets and with real file names."""
    file, number = _refused_line(output, config)
    shown = [_shown(line, config) for line in output.splitlines() if line.strip() and not line.startswith(">>> '")]
    fatal = next((index for index, line in enumerate(shown) if line.startswith("Reading the configuration file")), None)
    if fatal is None:
        findings = judge_log(output)
        messages = [_shown(line, config) for line in (*findings.errors, *findings.warnings)] or shown[-3:]
        reason = "; ".join(_LOG_PREFIX.sub("", line) for line in messages) or "it printed nothing"
        file, number = _named_line(output, config)
    else:
        reason = "; ".join(shown[fatal + 1 :])
    return Refusal(reason, file, number, _directive(file, number, config), shown[-15:])


def _refused_line(output: str, config: TrialConfig) -> tuple[str, int]:
    """Return file and number of the line that the output quotes; empty for a line of ours.

    The server prints the line's number and text, but not its file.
    """
    found = re.search(r"at line (\d+)\s*\n>>> '(.*)'\s*$", output, re.MULTILINE)
    for file in config.files if found else ():
        lines, number = _real_lines(file), int(found.group(1)) if found else 0
        if found and number <= len(lines) and lines[number - 1].strip() == found.group(2):
            return file.source, number
    return "", 0


def _named_line(output: str, config: TrialConfig) -> tuple[str, int]:
    """Return file and number of the line with the user or module that the output names, if any."""
    for name, pattern in _NAMED.items():
        found = pattern.search(output)
        for file in config.files if found else ():
            for number, text in enumerate(_real_lines(file), 1):
                words = split_args(text) or []
                if found and len(words) > 1 and (words[0].lower(), words[1]) == (name, found.group(1)):
                    return file.source, number
    return "", 0


def _real_lines(file: TrialFile) -> list[str]:
    """Return the lines of a trial file without the lines that were added at its end."""
    return file.text.split("\n")[: len(file.original.split("\n"))]


def _directive(path: str, number: int, config: TrialConfig) -> str:
    """Return the line of the real file, with asterisks in place of its secrets."""
    original = next((file.original for file in config.files if file.source == path and file.original), "")
    text = original.split("\n")[number - 1].strip() if number and original else ""
    words = split_args(text)
    if words is None:
        return text.split(" ", 1)[0] + " ..."  # with unbalanced quotes, any part may be a secret
    secrets = secrets_of(words) if words else []
    if not secrets:
        return text
    hidden = [next((word.replace(secret, "***") for secret in secrets if secret and word.endswith(secret)), word) for word in words]
    return " ".join(hidden)


def _shown(text: str, config: TrialConfig) -> str:
    """Return a text with asterisks in place of secrets, and with the real names of the files."""
    for secret in config.secrets:
        text = text.replace(secret, "***")
    for file in config.files:
        text = text.replace(file.path, file.source)
    return text
