"""The search for secrets, on which tests/matrix and tests/live rely, finds those that are shown."""

from __future__ import annotations

import base64
import html
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape, quoteattr

import pytest
import yaml
from secrets_shown import excerpts, places, texts_in, with_hashes

SECRET = "node \"pass' &7/é"
OTHER = "another-one"
SHOWN = {
    "as it is": SECRET,
    "JSON": json.dumps({"msg": SECRET}, ensure_ascii=False),
    "JSON in ASCII": json.dumps({"msg": SECRET}),
    "JSON in JSON": json.dumps(json.dumps([SECRET])),
    "YAML": yaml.safe_dump({"msg": f"# {SECRET}"}, allow_unicode=True),
    "Python": str({"msg": SECRET}),
    "HTML": html.escape(SECRET),
    "HTML of JSON": html.escape(json.dumps({"msg": SECRET})),
    "text of XML": escape(SECRET),
    "attribute of XML": quoteattr(SECRET + "'\""),
    "path of a URL": f"redis://:{quote(SECRET)}@127.0.0.1",
    "user of a URL": f"redis://:{quote(SECRET, safe='')}@127.0.0.1",
    "query of a URL": urlencode({"password": SECRET}),
    "form": quote_plus(SECRET),
    **{f"base64 after {count} bytes": base64.b64encode(b"x" * count + SECRET.encode() + b"yz").decode() for count in range(4)},
    "base64 for URLs": base64.urlsafe_b64encode(f"{SECRET}??>>".encode()).decode(),
}


@pytest.mark.parametrize("output", SHOWN.values(), ids=SHOWN)
def test_a_secret_that_is_shown(output: str) -> None:
    assert excerpts(f"before {output} after", {SECRET, OTHER}), output


def test_an_excerpt_shows_where() -> None:
    assert excerpts("a line\nTASK [x] another-one.", {OTHER}) == ["a line\nTASK [x] another-one."]


def test_what_shows_no_secret() -> None:
    harmless = ["", "node pass", "another one", base64.b64encode(b"another-two").decode()]
    assert places(dict(enumerate(harmless)), {SECRET, OTHER}) == {}


def test_the_hash_of_a_secret() -> None:
    line = "user app on #" + "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    assert excerpts(line, with_hashes({"secret"}))
    assert not excerpts(line, {"secret"})


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "log").write_text(f"password {OTHER}\n", encoding="utf-8")
    (tmp_path / "deep" / "given").write_text(OTHER, encoding="utf-8")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "inventory").write_text(OTHER, encoding="utf-8")
    (tmp_path / "program").write_bytes(b"\xff\xfe" + OTHER.encode())
    (tmp_path / "harmless").write_text("nothing", encoding="utf-8")
    texts = texts_in(tmp_path, [tmp_path / "given", tmp_path / "deep" / "given"])
    assert set(texts) == {"deep/er/log", "program", "harmless"}
    assert set(places(texts, {OTHER})) == {"deep/er/log", "program"}


@pytest.mark.parametrize("value", [OTHER, OTHER.encode(), zlib.compress(f"msg: {OTHER}".encode())], ids=["text", "bytes", "compressed"])
def test_a_database(tmp_path: Path, value: str | bytes) -> None:
    """ARA compresses what it records."""
    with closing(sqlite3.connect(tmp_path / "ansible.sqlite")) as connection:
        connection.execute("CREATE TABLE results (id INTEGER, content BLOB)")
        connection.execute("INSERT INTO results VALUES (1, ?)", [value])
        connection.commit()
    assert set(places(texts_in(tmp_path), {OTHER})) == {"ansible.sqlite"}
