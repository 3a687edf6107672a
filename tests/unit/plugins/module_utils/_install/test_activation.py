"""The choice of an activation, by the paths of the running server or by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._install.activation import activation_from, choose_activation, restaged
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders
from ansible_collections.sentinelops.redis.plugins.module_utils._install.symlink import Symlink
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import place

OLD, NEW = "7.0.7", "7.0.15"


def chosen(base: Path, claimed: str, *, wanted: str = "auto", folder: str = "", config: str = "/etc/redis.conf") -> dict[str, Any]:
    binary = (base / claimed).resolve()
    return choose_activation(
        wanted, str(base / folder) if folder else "", str(binary), [str(base / claimed)], str(base / config), (OLD, NEW)
    )


def names(base: Path, record: dict[str, Any]) -> tuple[str, ...]:
    return (record["method"], *(str(Path(record[name]).relative_to(base)) if record[name] else "" for name in ("folder", "staged", "kept")))


@pytest.mark.parametrize(
    ("release", "link", "sub", "staged"),
    [
        ("opt/redis/releases/7.0.7", "opt/redis/current", "", "opt/redis/releases/7.0.15"),
        ("opt/redis/releases/7.0.7", "opt/redis/current", "bin", "opt/redis/releases/7.0.15"),
        ("opt/redis-7.0.7", "opt/redis", "src", "opt/redis-7.0.15"),
        ("srv/builds/redis-7.0.7-tls", "opt/redis/current", "", "srv/builds/redis-7.0.15-tls"),
        ("opt/redis/releases/blue", "opt/redis/current", "bin", "opt/redis/releases/7.0.15"),
    ],
)
@pytest.mark.parametrize("relative", [True, False])
def test_a_link_that_the_server_was_started_through(tmp_path: Path, release: str, link: str, sub: str, staged: str, relative: bool) -> None:
    place(tmp_path / release / sub, OLD)
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    up = "../" * (link.count("/"))
    (tmp_path / link).symlink_to(up + release if relative else tmp_path / release)
    record = chosen(tmp_path, f"{link}/{sub}/redis-server")
    assert names(tmp_path, record) == ("symlink", link, staged, release)
    assert isinstance(activation_from(record), Symlink)
    assert record["doubts"] == []


def linked(base: Path) -> Path:
    place(base / "releases" / OLD / "bin", OLD)
    (base / "current").symlink_to(f"releases/{OLD}")
    return base


def test_a_link_to_the_server_that_leads_through_the_link(tmp_path: Path) -> None:
    linked(tmp_path)
    (tmp_path / "redis-server").symlink_to(tmp_path / "current" / "bin" / "redis-server")
    assert names(tmp_path, chosen(tmp_path, "redis-server"))[:2] == ("symlink", "current")


def test_a_link_that_only_the_configuration_file_goes_through(tmp_path: Path) -> None:
    linked(tmp_path)
    found = chosen(tmp_path, f"releases/{OLD}/bin/redis-server", config="current/redis.conf")
    assert names(tmp_path, found)[:2] == ("symlink", "current")


def test_a_link_that_points_to_the_new_release_already(tmp_path: Path) -> None:
    """An earlier run was killed, and somebody has started the old version by hand."""
    linked(tmp_path)
    place(tmp_path / "releases" / NEW / "bin", NEW)
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(f"releases/{NEW}")
    binary = str(tmp_path / "releases" / OLD / "bin" / "redis-server")
    record = choose_activation("auto", "", binary, [str(tmp_path / "current/bin/redis-server")], "/etc/redis.conf", (OLD, NEW))
    assert names(tmp_path, record) == ("symlink", "current", f"releases/{NEW}", f"releases/{OLD}")


@pytest.mark.parametrize("wanted", ["auto", "folder"])
def test_a_folder(tmp_path: Path, wanted: str) -> None:
    place(tmp_path / "redis" / "src", OLD)
    record = chosen(tmp_path, "redis/src/redis-server", wanted=wanted)
    assert names(tmp_path, record) == ("folder", "redis", "redis.new", "redis.old")
    assert isinstance(activation_from(record), Folders)


@pytest.mark.parametrize("link", ["opt", "opt/conf"])
def test_links_that_have_nothing_to_do_with_versions(tmp_path: Path, link: str) -> None:
    place(tmp_path / "data/opt/redis-6379/redis", OLD)
    (tmp_path / "data/opt/configs").mkdir()
    if link == "opt":
        (tmp_path / "opt").symlink_to("data/opt")
    else:
        (tmp_path / "data/opt/conf").symlink_to("configs")
        (tmp_path / "opt").mkdir()
    base = "opt" if link == "opt" else "data/opt"
    assert chosen(tmp_path, f"{base}/redis-6379/redis/redis-server", config=f"{base}/conf/redis.conf")["method"] == "folder"


def test_a_merged_usr(tmp_path: Path) -> None:
    place(tmp_path / "usr/bin", OLD)
    (tmp_path / "bin").symlink_to("usr/bin")
    record = choose_activation(
        "auto", "", str(tmp_path / "usr/bin/redis-server"), [str(tmp_path / "bin/redis-server")], "/etc/redis.conf", (OLD, NEW)
    )
    assert record["method"] == "folder"


def test_a_folder_is_wanted_although_there_is_a_link(tmp_path: Path) -> None:
    record = chosen(linked(tmp_path), "current/bin/redis-server", wanted="folder", folder="current")
    assert names(tmp_path, record) == ("folder", "current", "current.new", "current.old")


def test_a_link_that_the_user_names(tmp_path: Path) -> None:
    record = chosen(linked(tmp_path), f"releases/{OLD}/bin/redis-server", folder="current")
    assert names(tmp_path, record) == ("symlink", "current", f"releases/{NEW}", f"releases/{OLD}")


def test_a_link_that_is_not_there_yet(tmp_path: Path) -> None:
    """The instance runs from a package, and is to run from a release."""
    place(tmp_path / "usr/bin", OLD)
    record = chosen(tmp_path, "usr/bin/redis-server", wanted="symlink", folder="opt/redis/current")
    assert names(tmp_path, record) == ("symlink", "opt/redis/current", f"opt/redis/releases/{NEW}", "")


def test_a_link_to_another_version_than_the_one_that_runs_from_elsewhere(tmp_path: Path) -> None:
    place(tmp_path / "usr/bin", OLD)
    linked(tmp_path)
    record = chosen(tmp_path, "usr/bin/redis-server", folder="current")
    assert names(tmp_path, record) == ("symlink", "current", f"releases/{NEW}", f"releases/{OLD}")
    assert activation_from(record).runs_elsewhere(str(tmp_path / "usr/bin/redis-server"))


def test_a_link_is_wanted_and_there_is_none(tmp_path: Path) -> None:
    place(tmp_path / "redis", OLD)
    record = chosen(tmp_path, "redis/redis-server", wanted="symlink")
    assert "was not started through a link" in record["doubts"][0]["seen"]


def test_another_version_is_wanted_meanwhile(tmp_path: Path) -> None:
    record = chosen(linked(tmp_path), "current/bin/redis-server")
    assert names(tmp_path, restaged(record, OLD, "7.0.16")) == ("symlink", "current", "releases/7.0.16", f"releases/{OLD}")
    assert restaged(record, OLD, "") == record
