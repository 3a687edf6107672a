"""Search what runs show and leave behind for secrets, in the forms in which programs write them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

SQLITE = b"SQLite format 3\0"


def with_hashes(secrets: Iterable[str]) -> set[str]:
    """Return the secrets and their hashes, as servers keep those of ACL users."""
    plain = set(secrets)
    return {*plain, *(hashlib.sha256(secret.encode()).hexdigest() for secret in plain)}


def in_base64(secret: str) -> set[str]:
    """Return the characters that stand for a secret in base64, wherever in the data it begins.

    Those that depend on what precedes or follows the secret as well are left out.
    """
    found = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret.encode()).decode()
        part = encoded[-(-before * 8 // 6) : (before + len(secret.encode())) * 8 // 6]
        found.update([part, part.replace("+", "-").replace("/", "_")])
    return found


def in_strings_of_json(text: str) -> set[str]:
    """Return a text as JSON writes it between the quotes, with all characters or in ASCII."""
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def forms(secret: str) -> set[str]:
    """Return a secret as it is, and as JSON, JSON in JSON, YAML, Python, HTML, XML, URLs and base64
    write it.
    """
    in_json = in_strings_of_json(secret)
    again = {form for text in in_json for form in (text.replace("\\", "\\\\"), *in_strings_of_json(text))}
    in_markup = {html.escape(text, quote=quoted) for text in (secret, *in_json) for quoted in (True, False)}
    in_xml = {text.replace("&#x27;", "'") for text in in_markup}
    quoted = {secret.replace("'", "''"), secret.replace("'", "\\'")}
    in_urls = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {secret, *in_json, *again, *in_markup, *in_xml, *quoted, *in_urls, *in_base64(secret)}


def excerpts(output: str, secrets: Iterable[str]) -> list[str]:
    """Return for each form of a secret that an output shows where it does first."""
    found = [output.find(form) for secret in sorted(secrets) for form in sorted(forms(secret))]
    return [output[max(0, at - 300) : at + 100] for at in found if at >= 0]


def places(texts: Mapping[str, str], secrets: Collection[str]) -> dict[str, list[str]]:
    """Return the excerpts of the texts that show a secret, by the names of these texts."""
    found = {name: excerpts(text, secrets) for name, text in texts.items()}
    return {name: shown for name, shown in found.items() if shown}


def texts_in(folder: Path, but: Collection[Path] = ()) -> dict[str, str]:
    """Return the texts of all files in a folder, by their paths there.

    ``but``: the files and folders that are left out, such as those that tell a run the secrets.
    """
    left_out = set(but)
    return {
        str(path.relative_to(folder)): _text(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and left_out.isdisjoint([path, *path.parents])
    }


def _text(path: Path) -> str:
    """Return the content of a file; of a database of SQLite also its values, unpacked."""
    content = path.read_bytes()
    values = _values(path) if content.startswith(SQLITE) else []
    return "\n".join([content.decode(errors="replace"), *values])


def _values(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in connection.execute(f'SELECT * FROM "{table}"')]
    return [_unpacked(value) if isinstance(value, bytes) else str(value) for row in rows for value in row]


def _unpacked(value: bytes) -> str:
    with suppress(zlib.error):  # not all are compressed
        value = zlib.decompress(value)
    return value.decode(errors="replace")
