"""Several deployments in one inventory, all of whose masters have one name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from fleet import Fleet


class Deployments:
    """``names``: of the deployments, each with one shard of 1 + ``replicas`` data nodes.

    An inventory host is ``NAME-shard-1-redis-1`` and so on. ``named``: whether host variables name
    the deployments.
    """

    def __init__(self, folder: Path, version: str, port: int, names: Sequence[str], replicas: int = 1, named: bool = False) -> None:
        self.folder, self.named = folder, named
        size = 1 + replicas + 3
        self.all = {name: Fleet(folder / name, version, port + number * size, 1, replicas) for number, name in enumerate(names)}

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yml"

    def build(self) -> None:
        for one in self.all.values():
            one.build()
        self.write_inventory()

    def write_inventory(self) -> None:
        groups: dict[str, Any] = {"redis": {"hosts": {}}, "sentinel": {"hosts": {}}}
        for name, one in self.all.items():
            own = yaml.safe_load(one.inventory.read_text(encoding="utf-8"))["all"]
            given = {**own["vars"], **({"redis_upgrade_deployment_name": name} if self.named else {})}
            for group, found in groups.items():
                found["hosts"] |= {f"{name}-{host}": {**given, **values} for host, values in own["children"][group]["hosts"].items()}
        self.inventory.write_text(yaml.safe_dump({"all": {"children": groups}}), encoding="utf-8")

    def versions(self) -> dict[str, set[str]]:
        """Return the versions that run in each deployment, as INFO says."""
        return {name: set(one.versions().values()) for name, one in self.all.items()}

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[[], dict[str, dict[str, Any]]]]:
        """Write to every deployment, a little; yield a function that ends that with verdicts."""
        with contextlib.ExitStack() as stack:
            ends = {name: stack.enter_context(one.writing()) for name, one in self.all.items()}
            yield lambda: {name: verdict for name, end in ends.items() for verdict in end().values()}

    def remove(self) -> None:
        for one in self.all.values():
            one.remove()
