"""The state that the steps of a scenario leave behind, and the verdicts of the writers."""

from __future__ import annotations

import json
from typing import Any

testinfra_hosts = ["ansible://machines"]


def test_nothing_half_done_is_left(host: Any) -> None:
    layout = host.ansible.get_variables()["layout"]
    programs = layout.get("store", layout["programs"])
    folders = [programs, programs.rpartition("/")[0]]
    found = [name for folder in folders if "{" not in folder for name in host.file(folder).listdir()]
    assert [name for name in found if name.endswith(".partial")] == []
    assert all(name.endswith(".before.json") for name in host.file("/var/lib/sentinelops-redis").listdir())
    assert host.run("ls /run/systemd/system/*.d/*sentinelops* /etc/systemd/system/*.d/*sentinelops*").stdout == ""


def test_no_write_was_lost(host: Any) -> None:
    variables = host.ansible.get_variables()
    files = host.run("ls /var/tmp/audit-*.json").stdout.split()
    first = variables["inventory_hostname"] == variables["groups"]["machines"][0]
    assert len(files) == (len(variables["masters"]) if first else 0)
    for file in files:
        verdict = json.loads(host.file(file).content_string)
        assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0), verdict
        assert verdict["acknowledged"] > 1000
