"""The inventory plugin on real servers: through ansible-inventory, and for whole upgrades."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from access import with_passwords, with_users_and_certificates
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import SentinelOpsError
from deployment import MASTER, ROOT, SERVERS, Deployment, Writers
from deployments import Deployments
from fleet import Fleet
from states import wait_until

from playbooks import WANTED, require_unchanged, words

OLD = "6.2.9"
SECRET = "reader-secret-12"
# An inventory that cannot be read ends the command, instead of being a warning.
STRICT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
LOCAL = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "redis_binaries_source": str(SERVERS / WANTED),
    "redis_binaries_remote_src": True,
}


def write(deployed: Deployment, name: str = "cache", variables: dict[str, Any] | None = None, **options: Any) -> Path:
    """Write the plugin's file into a folder of its own, and the variables of its groups beside."""
    folder = deployed.folder / f"inventory-{name}"
    (folder / "group_vars").mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.redis_sentinel.yml"
    content = {"plugin": "sentinelops.redis.redis_sentinel", "sentinels": [deployed.address("sentinel-2")], **options}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    given = {**LOCAL, "redis_upgrade_journal_folder": str(deployed.folder / "journal"), **(variables or {})}
    (folder / "group_vars" / f"redis_deployment_{name}.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
    return file


def inventory(file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["ansible-inventory", "-i", str(file), "--list", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **STRICT, **environment})


def plain(value: Any) -> Any:
    """Return a value without the marks that ansible-inventory gives to texts of a plugin."""
    if isinstance(value, dict):
        return plain(value["__ansible_unsafe"]) if "__ansible_unsafe" in value else {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def listed(file: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    done = inventory(file, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = plain(json.loads(done.stdout))
    return found


def refused(file: Path, **environment: str) -> str:
    """Return why the plugin has refused; check that not one host is left."""
    done = inventory(file, **environment)
    assert done.returncode != 0, done.stdout
    assert "No host was added to the inventory." in words(done.stderr)
    assert not done.stdout.strip() or not json.loads(done.stdout).get("_meta", {}).get("hostvars")
    return words(done.stderr)


def members(found: dict[str, Any], group: str) -> set[str]:
    one = found.get(group, {})
    return set(one.get("hosts", [])) | {host for child in one.get("children", []) for host in members(found, child)}


def table(deployment: Deployment) -> dict[str, str]:
    """Return the option ``hosts`` that gives each instance its name in the deployment."""
    return {deployment.address(name): name for name in deployment.ports}


def test_everything_is_as_the_servers_say(deployment: Deployment) -> None:
    found = listed(write(deployment, hosts=table(deployment)))
    variables = found["_meta"]["hostvars"]
    assert members(found, "redis") == set(deployment.nodes)
    assert members(found, "sentinel") == set(deployment.sentinels)
    assert members(found, "redis_master") == set(deployment.masters())
    assert members(found, "redis_replica") == set(deployment.nodes) - set(deployment.masters())
    assert members(found, "redis_deployment_cache") == set(deployment.ports)
    assert members(found, f"redis_shard_cache_{MASTER}") == set(deployment.nodes)
    for name, port in deployment.nodes.items():
        info, own = deployment.info(name), variables[name]
        assert (own["redis_upgrade_redis_port"], own["redis_node_version"]) == (port, info["redis_version"])
        assert own["redis_node_run_id"] == info["run_id"]
        assert own["redis_node_role"] == {"master": "master", "slave": "replica"}[info["role"]]
        assert (own["redis_node_master_name"], own["ansible_host"]) == (MASTER, "127.0.0.1")
    for name, port in deployment.sentinels.items():
        assert variables[name]["redis_upgrade_sentinel_port"] == port
        assert variables[name]["redis_sentinel_run_id"] == deployment.info(name)["run_id"]


@pytest.mark.extended
@pytest.mark.parametrize("version", ["5.0.6", "7.0.15", "valkey-9.1.2"])
def test_other_servers(build: Callable[..., Deployment], version: str) -> None:
    found = listed(write(build(version)))["_meta"]["hostvars"].values()
    numbers = {host.get("redis_node_version", host.get("redis_sentinel_version")) for host in found}
    assert numbers == {version.removeprefix("valkey-")}
    servers = {host.get("redis_node_server", host.get("redis_sentinel_server")) for host in found}
    assert servers == {"valkey" if "valkey" in version else "redis"}


def test_one_machine_has_a_host_for_each_further_instance(deployment: Deployment) -> None:
    found = listed(write(deployment))
    ports, others = list(deployment.nodes.values()), list(deployment.sentinels.values())
    assert members(found, "redis") == {"127.0.0.1", *(f"127.0.0.1-{port}" for port in ports[1:])}
    assert members(found, "sentinel") == {"127.0.0.1", *(f"127.0.0.1-{port}" for port in others[1:])}
    shared = found["_meta"]["hostvars"]["127.0.0.1"]
    assert (shared["redis_upgrade_redis_port"], shared["redis_upgrade_sentinel_port"]) == (ports[0], others[0])


def test_the_dns_names_the_machine(deployment: Deployment) -> None:
    """The name of the loopback address, of which a pattern makes another one."""
    found = listed(write(deployment, reverse_dns=True, host_patterns=[{"match": "(?P<name>.*[a-z].*)", "name": r"by-dns-\g<name>"}]))
    assert {name.startswith("by-dns-") for name in members(found, "redis")} == {True}


def test_names_by_pattern_and_composed_groups(deployment: Deployment) -> None:
    file = write(
        deployment,
        host_patterns=[{"match": r"127\.0\.0\.(\d+)", "name": r"node-\1", "ansible_host": r"node-\1.example.org"}],
        keyed_groups=[{"key": "redis_node_version", "prefix": "version"}],
        compose={"label": "redis_node_role | default('sentinel')"},
    )
    found = listed(file)
    assert {name.partition("-")[0] for name in members(found, "redis")} == {"node"}
    assert len(members(found, "version_6_2_14")) == 3
    own = found["_meta"]["hostvars"]["node-1"]
    assert (own["ansible_host"], own["label"]) == ("node-1.example.org", own["redis_node_role"])


def test_a_cached_inventory_asks_nobody(deployment: Deployment) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(deployment.folder / "kept")}
    file = write(deployment, name="kept", **cache)
    first = listed(file)

    def asked() -> int:
        return sum(int(deployment.info(name)["total_connections_received"]) for name in deployment.ports)

    before = asked()
    assert listed(file) == first
    between = asked() - before
    listed(file, "--flush-cache")
    assert asked() - before - 2 * between > 0


@contextlib.contextmanager
def stopped(deployment: Deployment, name: str) -> Iterator[Callable[[], bool]]:
    """Stop an instance; yield a function that says whether all other Sentinels know it is down."""
    others = [one for one in deployment.sentinels if one != name]

    def is_known() -> bool:
        what = "SENTINELS" if name in deployment.sentinels else "REPLICAS"
        replies = [reply for one in others for reply in deployment.command(one, "SENTINEL", what, MASTER)]
        rows = [dict(zip(reply[::2], reply[1::2], strict=True)) for reply in replies]
        flags = [row["flags"] for row in rows if row["port"] == str(deployment.ports[name])]
        return len(flags) == len(others) and all("s_down" in own for own in flags)

    deployment.stop(name)
    try:
        yield is_known
    finally:
        deployment.start(name)
        deployment.wait_until_known()


def test_a_data_node_that_is_down(deployment: Deployment) -> None:
    """Refused until all Sentinels know, and then a host without version."""
    file = write(deployment, hosts=table(deployment))
    with stopped(deployment, "redis-3") as is_known:
        assert f"a data node of '{MASTER}' does not answer the controller" in refused(file)
        wait_until(is_known, 30)
        found = listed(file)
    assert members(found, "redis") == set(deployment.nodes)
    own = found["_meta"]["hostvars"]["redis-3"]
    assert (own["redis_node_answers"], own["redis_node_version"], own["redis_node_role"]) == (False, "", "replica")


def test_a_sentinel_that_is_down(deployment: Deployment) -> None:
    file = write(deployment, hosts=table(deployment))
    with stopped(deployment, "sentinel-3") as is_known:
        assert f"a Sentinel does not answer: {deployment.address('sentinel-3')}: " in refused(file)
        assert "a Sentinel does not answer" in refused(file, SENTINELOPS_KEEP_DOWN_SENTINELS="true"), "the others do not know yet"
        wait_until(is_known, 30)
        assert "a Sentinel does not answer" in refused(file)
        found = listed(file, SENTINELOPS_KEEP_DOWN_SENTINELS="true")
    assert members(found, "sentinel") == set(deployment.sentinels)
    assert found["_meta"]["hostvars"]["sentinel-3"]["redis_sentinel_answers"] is False


def test_a_sentinel_that_forgot_the_others(deployment: Deployment) -> None:
    """After SENTINEL RESET it learns of the replicas and the other Sentinels anew."""
    deployment.command("sentinel-3", "SENTINEL", "RESET", MASTER)
    try:
        assert f"the Sentinels disagree about the master '{MASTER}'" in refused(write(deployment, hosts=table(deployment)))
    finally:
        deployment.wait_until_known()


def test_a_sentinel_that_monitors_another_node(deployment: Deployment) -> None:
    """It is told so, under the same master name, as after a network that was split."""
    name, wrong, right = "sentinel-3", deployment.nodes["redis-2"], deployment.nodes["redis-1"]
    file = write(deployment, hosts=table(deployment), sentinels=[deployment.address(one) for one in deployment.sentinels])
    monitor(deployment, name, wrong)
    try:
        text = refused(file)
        assert "the Sentinels do not know each other" in text or "the Sentinels disagree about the master" in text
    finally:
        monitor(deployment, name, right)
        deployment.wait_until_known()


def monitor(deployment: Deployment, name: str, port: int) -> None:
    """Let a Sentinel forget its master, and monitor another node under the same name."""
    deployment.command(name, "SENTINEL", "REMOVE", MASTER)
    deployment.command(name, "SENTINEL", "MONITOR", MASTER, "127.0.0.1", port, 2)
    deployment.command(name, "SENTINEL", "SET", MASTER, "down-after-milliseconds", deployment.down_after_ms)


def answers(deployment: Deployment, name: str) -> bool:
    with contextlib.suppress(SentinelOpsError):
        return bool(deployment.command(name, "PING"))
    return False


def test_passwords_are_used_and_not_shown(build: Callable[..., Deployment]) -> None:
    guarded = build("6.2.14", access=with_passwords())
    secrets = guarded.access.secrets
    environment = {
        "SENTINELOPS_SENTINEL_PASSWORD": guarded.access.sentinels["password"],
        "SENTINELOPS_NODE_PASSWORD": guarded.access.nodes["password"],
    }
    file = write(guarded)
    assert len(members(listed(file, **environment), "all")) == 5
    right = inventory(file, "-vvvv", **environment)
    wrong = inventory(file, "-vvvv", **{**environment, "SENTINELOPS_NODE_PASSWORD": guarded.access.sentinels["password"]})
    assert wrong.returncode != 0
    assert "the data node refused the login" in words(wrong.stderr)
    for done in (right, wrong):
        assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []


@pytest.mark.extended
def test_users_with_the_documented_rights_and_certificates(build: Callable[..., Deployment], tmp_path: Path) -> None:
    """The users of the upgrade, and users that have only what the plugin needs."""
    guarded = build("7.0.15", access=with_users_and_certificates(tmp_path / "certificates"))
    login = guarded.access.sentinels
    files = {name: value for name, value in login.items() if name not in ("user", "password")}
    ops = {"login_user": login["user"], "login_password": login["password"]}
    nodes = {f"node_{name}": value for name, value in ops.items()}
    assert len(members(listed(write(guarded, **files, **ops, **nodes)), "all")) == 5
    page = (ROOT / "docs" / "inventories.md").read_text(encoding="utf-8")
    block = page.split("Users for the plugin alone need only these", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    of_nodes, of_sentinels = (part.splitlines()[-1].split() for part in block.strip().split("\n\n"))
    for name in guarded.ports:
        rights = of_sentinels if name in guarded.sentinels else of_nodes
        guarded.administer(name, "ACL", "SETUSER", "reader", "on", f">{SECRET}", *rights)
    reader = {
        **dict.fromkeys(("login_user", "node_login_user"), "reader"),
        **dict.fromkeys(("login_password", "node_login_password"), SECRET),
    }
    assert len(members(listed(write(guarded, **files, **reader)), "all")) == 5


def upgrade(file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the upgrade with the plugin's file and the version, and nothing else."""
    command = ["ansible-playbook", "-i", str(file), "sentinelops.redis.upgrade", "-e", f"redis_upgrade_version={WANTED}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **environment})


def test_a_whole_upgrade(build: Callable[..., Deployment]) -> None:
    """With passwords that both the plugin and the roles get from the environment.

    That of the data nodes needs no setting; that of the Sentinels is a lookup in both.
    """
    old = build(OLD, access=with_passwords())
    own = "{{ lookup('ansible.builtin.env', 'SENTINEL_SECRET') }}"
    file = write(old, variables={"redis_upgrade_sentinel_password": own}, login_password=own)
    environment = {"SENTINELOPS_NODE_PASSWORD": old.access.nodes["password"], "SENTINEL_SECRET": old.access.sentinels["password"]}
    old.remember()
    with Writers(old) as writers:
        done = upgrade(file, **environment)
        verdict = writers.verdict()
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(old.versions().values()) == {WANTED}
    assert (verdict["lost"], verdict["unexpected"], verdict["duplicates"]) == (0, 0, 0)
    assert old.masters() == ["redis-1"]
    require_unchanged(old, old.before)
    assert [secret for secret in old.access.secrets if secret in done.stdout + done.stderr] == []
    again = upgrade(file, **environment)
    assert again.returncode == 0, again.stdout
    hosts = listed(file, **environment)["_meta"]["hostvars"].values()
    assert {host.get("redis_node_version", host.get("redis_sentinel_version")) for host in hosts} == {WANTED}


@pytest.mark.extended
def test_two_shards_behind_one_set_of_sentinels(tmp_path: Path, next_port: Callable[[], int]) -> None:
    fleet = Fleet(tmp_path / "fleet", OLD, next_port(), shards=2, replicas=1)
    try:
        fleet.build()
        file = write(fleet, name="shop")
        found = listed(file)
        assert len(members(found, "redis_shard_shop_shard_1")) == len(members(found, "redis_shard_shop_shard_2")) == 2
        one = listed(write(fleet, name="one", master_names=["shard-2"]))
        assert (len(members(one, "redis")), len(members(one, "sentinel"))) == (2, 3)
        done = upgrade(file)
        assert done.returncode == 0, done.stdout
        assert set(fleet.versions().values()) == {WANTED}
    finally:
        fleet.remove()


@pytest.mark.extended
def test_several_deployments(tmp_path: Path, next_port: Callable[[], int]) -> None:
    """A file for each in one folder, and a cache: the run of each reads both files."""
    several = Deployments(tmp_path / "deployments", OLD, next_port(), ["one", "two"])
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "group_vars").mkdir()
    try:
        several.build()
        for name, fleet in several.all.items():
            file = write(fleet, name=name, deployment=name, hosts={address: f"{name}-{one}" for address, one in table(fleet).items()})
            file.rename(folder / file.name)
            (file.parent / "group_vars" / f"redis_deployment_{name}.yml").rename(folder / "group_vars" / f"redis_deployment_{name}.yml")
        cache = {"ANSIBLE_INVENTORY_CACHE": "true", "ANSIBLE_INVENTORY_CACHE_PLUGIN": "jsonfile"}
        cache["ANSIBLE_INVENTORY_CACHE_CONNECTION"] = str(tmp_path / "kept")
        runs = json.dumps({"redis_upgrade_deployments_folder": str(tmp_path / "runs")})
        done = upgrade(folder, "-e", runs, **STRICT, **cache)
        assert done.returncode == 0, done.stdout + done.stderr
        assert several.versions() == {"one": {WANTED}, "two": {WANTED}}
        assert "2 deployments: 2 done, 0 failed" in words(done.stdout)
    finally:
        several.remove()


@pytest.mark.extended
def test_an_interrupted_upgrade_is_completed(build: Callable[..., Deployment]) -> None:
    """A run is killed while a Sentinel is stopped; the same command completes the upgrade."""
    old = build(OLD)
    file = write(old, hosts=table(old))
    environment = {**os.environ, "SENTINELOPS_KEEP_DOWN_SENTINELS": "true"}
    command = ["ansible-playbook", "-i", str(file), "sentinelops.redis.upgrade", "-e", f"redis_upgrade_version={WANTED}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
    try:
        deadline = time.monotonic() + 120
        while old.processes["sentinel-1"].poll() is None:  # it is down for some 100 ms
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    done = upgrade(file, SENTINELOPS_KEEP_DOWN_SENTINELS="true")
    text = words(done.stdout + done.stderr)
    if done.returncode != 0:  # it asked before the others knew that the Sentinel was down
        wait_until(lambda: "s_down" in flags_of(old, "sentinel-1") or answers(old, "sentinel-1"), 60)
        done = upgrade(file, SENTINELOPS_KEEP_DOWN_SENTINELS="true")
    assert done.returncode == 0, text + done.stdout
    assert set(old.versions().values()) == {WANTED}


def flags_of(deployment: Deployment, name: str) -> str:
    """Return the flags of a Sentinel, as each other one has them."""
    others = [one for one in deployment.sentinels if one != name]
    replies = [reply for one in others for reply in deployment.command(one, "SENTINEL", "SENTINELS", MASTER)]
    rows = [dict(zip(reply[::2], reply[1::2], strict=True)) for reply in replies]
    return " ".join(row["flags"] for row in rows if row["port"] == str(deployment.ports[name]))
