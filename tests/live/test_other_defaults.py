"""Settings with another default in the new version are named before anything is restarted."""

from __future__ import annotations

import json
import subprocess

import pytest
from deployment import Deployment

from playbooks import command, words

pytestmark = pytest.mark.extended

VERSION, WANTED = "7.0.15", "valkey-8.0.1"
# what differs between both, by CONFIG GET * of servers that have no configuration
DIFFERING = {
    "io-threads-do-reads no -> yes",
    "lazyfree-lazy-eviction no -> yes",
    "lazyfree-lazy-expire no -> yes",
    "lazyfree-lazy-server-del no -> yes",
    "lazyfree-lazy-user-del no -> yes",
    "lazyfree-lazy-user-flush no -> yes",
    "repl-backlog-size 1048576 -> 10485760",
    "replica-lazy-flush no -> yes",
    "syslog-ident redis -> valkey",
}
SAID = "8.0.1 has other defaults for settings that the configuration does not name: "


def stopped_after_the_stage(deployment: Deployment) -> str:
    """Run an upgrade that a hook stops after the stage; return its output."""
    variables = {"redis_upgrade_accept_no_way_back": True, "redis_upgrade_hooks": {"before_node": str(deployment.folder / "stop.yml")}}
    (deployment.folder / "stop.yml").write_text(json.dumps([{"name": "Stop", "ansible.builtin.fail": {"msg": "enough"}}]))
    done = subprocess.run(
        command(deployment, "upgrade", wanted=WANTED, **variables), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    said = words(done.stdout + done.stderr)
    assert "enough" in said, said
    assert set(deployment.versions().values()) == {VERSION}
    return said


def named(said: str) -> set[str]:
    assert said.count(SAID) == 1, "three data nodes say the same, which is said once"
    return set(said.partition(SAID)[2].partition(". To keep a value")[0].split(", "))


def test_each_default_that_differs_is_named(deployment: Deployment) -> None:
    assert named(stopped_after_the_stage(deployment)) == DIFFERING


def test_a_setting_that_is_in_the_configuration_is_not_named(deployment: Deployment) -> None:
    for name in ("redis-1", "redis-2", "redis-3"):
        deployment.administer(name, "CONFIG", "SET", "lazyfree-lazy-expire", "yes")
        deployment.administer(name, "CONFIG", "SET", "repl-backlog-size", "2mb")
    assert named(stopped_after_the_stage(deployment)) == {
        text for text in DIFFERING if not text.startswith(("lazyfree-lazy-expire", "repl-backlog-size"))
    }
