"""Several shards are upgraded side by side: one instance of a wave fails, the others finish."""

from __future__ import annotations

from collections.abc import Callable

import layout
import pytest
from broken_builds import broken_build
from deployment import Writers

import playbooks

pytestmark = pytest.mark.extended
VERSION, WANTED = "6.2.9", "6.2.14"


def test_one_of_a_wave_fails(next_port: Callable[[], int]) -> None:
    with layout.shop(VERSION, next_port()) as shop:
        source = broken_build(shop.folder / "broken", WANTED, "exit 1", only="/cache-")
        with Writers(shop, stop="stop-1", master_name="cache") as one, Writers(shop, stop="stop-2", master_name="sessions") as two:
            failed = playbooks.run(shop.inventory, "upgrade", redis_binaries_source=source)
            between = shop.versions()
            again = playbooks.run(shop.inventory, "upgrade")
            verdicts = [one.verdict(), two.verdict()]
        said = playbooks.words(failed.stdout)
        assert failed.returncode != 0
        assert said.count("could not be upgraded to 6.2.14. ") == 1, said
        assert "It was reverted to its old version 6.2.9 and proved healthy." in said
        assert "undefined" not in said
        assert {name for name, version in between.items() if version == WANTED} == {*shop.sentinels, "sessions-1"}
        assert again.returncode == 0, again.stdout
        assert set(shop.versions().values()) == {WANTED}
        assert shop.masters() == ["cache-1", "sessions-2"]
        assert [(verdict["lost"], verdict["unexpected"]) for verdict in verdicts] == [(0, 0), (0, 0)]
