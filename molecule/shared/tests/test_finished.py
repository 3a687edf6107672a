"""The state that the steps of a scenario leave behind, and the verdicts of the writers."""

from __future__ import annotations

from typing import Any

from upgraded_host import journals, require_nothing_lost, verdicts

testinfra_hosts = ["ansible://machines"]


def test_nothing_half_done_is_left(host: Any) -> None:
    layout = host.ansible.get_variables()["layout"]
    programs = layout.get("store", layout["programs"])
    folders = [programs, programs.rpartition("/")[0]]
    files = [name for folder in folders if "{" not in folder for name in host.file(folder).listdir()]
    assert [name for name in files if name.endswith(".partial")] == []
    assert journals(host) == []
    assert host.run("ls /run/systemd/system/*.d/*sentinelops* /etc/systemd/system/*.d/*sentinelops*").stdout == ""


def test_no_write_was_lost(host: Any) -> None:
    variables = host.ansible.get_variables()
    found = verdicts(host)
    first = variables["inventory_hostname"] == variables["groups"]["machines"][0]
    assert len(found) == (len(variables["masters"]) if first else 0)
    if variables.get("restores"):  # the writes since the backup are gone, and no others are there
        assert all(one["lost"] > 0 and (one["unexpected"], one["duplicates"]) == (0, 0) for one in found), found
    else:
        require_nothing_lost(found, acknowledged=1000)
