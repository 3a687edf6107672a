"""The inventory plugin, with recorded servers that speak the protocol."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.utils.unsafe_proxy import wrap_var
from ansible.utils.vars import load_extra_vars
from ansible_collections.sentinelops.redis.plugins.inventory import redis_sentinel
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.plugin_utils._inventory.request import CONNECTION_OPTIONS, TEMPLATES
from ansible_collections.sentinelops.redis.tests.unit.support.inventory_plugin import documentation, parsed, plugin
from ansible_collections.sentinelops.redis.tests.unit.support.loopback import Listening, Refusal, answers_of, listening
from ansible_collections.sentinelops.redis.tests.unit.support.recorded import MASTER, OTHER_REPLICA, REPLICA, SENTINELS
from ansible_collections.sentinelops.redis.tests.unit.support.recorded_deployment import RecordedDeployment

V = "7.0.15"
SECRET, NODE_SECRET = "sentinel-secret-7", "node-secret-8"
LIKE_A_TEMPLATE = "a {{ b }} {% c"


class Served:
    """A recorded deployment on loopback ports. ``nodes`` and ``sentinels`` have them in order.

    ``logins`` has the words of each AUTH; ``passwords`` are the accepted ones by kind, if any.
    """

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.passwords: dict[str, str] = {}
        self.logins: list[tuple[str, ...]] = []
        self._servers: dict[str, Listening] = {
            old: stack.enter_context(listening(self._answer_at(old))) for old in (MASTER, REPLICA, OTHER_REPLICA, *SENTINELS)
        }
        self.moves = {old: str(one.address) for old, one in self._servers.items()}
        self.recorded = RecordedDeployment(V, moves=self.moves)
        self.nodes = [self.moves[old] for old in (MASTER, REPLICA, OTHER_REPLICA)]
        self.sentinels = [self.moves[old] for old in SENTINELS]

    @property
    def asked(self) -> int:
        """Return how many commands have arrived."""
        return sum(len(one.said) for one in self._servers.values())

    def _answer_at(self, old: str) -> Callable[[list[str]], Any]:
        kind = "sentinel" if old in SENTINELS else "node"
        allowed: list[bool] = []

        def answer(words: list[str]) -> Any:
            if words[0] == "AUTH":
                self.logins.append((kind, *words[1:]))
                allowed[:] = [words[-1] == self.passwords.get(kind)]
                return "OK" if allowed[0] else Refusal("WRONGPASS invalid username-password pair or user is disabled.")
            if kind in self.passwords and allowed != [True]:
                return Refusal("NOAUTH Authentication required.")
            address = Address.parse(self.moves[old])
            server = self.recorded.sentinel(address) if kind == "sentinel" else self.recorded.node(address)
            return answers_of(server)(words)

        return answer


@pytest.fixture
def served() -> Iterator[Served]:
    with contextlib.ExitStack() as stack:
        yield Served(stack)


@pytest.fixture
def write(tmp_path: Path, served: Served) -> Callable[..., Path]:
    """Return a function that writes the plugin's file with some options."""

    def write_file(name: str = "cache.redis_sentinel.yml", **options: Any) -> Path:
        file = tmp_path / name
        content = {"plugin": "sentinelops.redis.redis_sentinel", "sentinels": served.sentinels[:1], **options}
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return file

    return write_file


def hosts_of(inventory: InventoryData, group: str) -> list[str]:
    return sorted(host.name for host in inventory.groups[group].get_hosts())


def named(served: Served) -> dict[str, str]:
    """Return a table that names each instance: m for the master, r-1, r-2, s-1, s-2, s-3."""
    return dict(zip([*served.nodes, *served.sentinels], ["m", "r-1", "r-2", "s-1", "s-2", "s-3"], strict=True))


def test_the_whole_deployment(served: Served, write: Callable[..., Path]) -> None:
    inventory = parsed(write(hosts=named(served)))
    assert hosts_of(inventory, "redis") == ["m", "r-1", "r-2"]
    assert hosts_of(inventory, "sentinel") == ["s-1", "s-2", "s-3"]
    assert hosts_of(inventory, "redis_master") == ["m"]
    assert hosts_of(inventory, "redis_replica") == ["r-1", "r-2"]
    assert hosts_of(inventory, "redis_deployment_cache") == ["m", "r-1", "r-2", "s-1", "s-2", "s-3"]
    assert hosts_of(inventory, "redis_shard_cache_mymaster") == ["m", "r-1", "r-2"]
    variables = inventory.hosts["m"].vars
    assert (variables["ansible_host"], variables["redis_upgrade_login_host"]) == ("127.0.0.1", "127.0.0.1")
    assert variables["redis_upgrade_redis_port"] == int(served.nodes[0].rpartition(":")[2])
    assert (variables["redis_node_role"], variables["redis_node_version"]) == ("master", V)
    assert inventory.hosts["s-1"].vars["redis_sentinel_address"] == served.sentinels[0]
    assert "redis_upgrade_deployment_name" not in variables
    assert "redis_upgrade_master_name" not in variables


def test_one_machine_without_names(served: Served, write: Callable[..., Path]) -> None:
    inventory = parsed(write())
    first = min(int(address.rpartition(":")[2]) for address in served.nodes)
    others = [address.rpartition(":")[2] for address in served.nodes if not address.endswith(f":{first}")]
    assert hosts_of(inventory, "redis") == sorted(["127.0.0.1", *(f"127.0.0.1-{port}" for port in others)])
    assert "redis_sentinel_address" in inventory.hosts["127.0.0.1"].vars
    assert len(inventory.hosts) == 5


def test_names_that_are_given(served: Served, write: Callable[..., Path]) -> None:
    inventory = parsed(write(deployment="shop", master_names=["mymaster"]))
    assert len(hosts_of(inventory, "redis_deployment_shop")) == 5
    assert {host.vars["redis_upgrade_deployment_name"] for host in inventory.hosts.values()} == {"shop"}
    assert [host.vars["redis_upgrade_master_name"] for host in inventory.hosts.values()] == [["mymaster"]] * 5


@pytest.mark.parametrize("name", ["cache.redis_sentinel.yml", "cache.redis_sentinel.yaml", "redis_sentinel.yml"])
def test_files_of_the_plugin(write: Callable[..., Path], name: str) -> None:
    assert plugin().verify_file(str(write(name)))


@pytest.mark.parametrize("name", ["cache.yml", "redis_sentinel.json", "redis_sentinel.yml.bak"])
def test_files_of_others(write: Callable[..., Path], name: str) -> None:
    assert not plugin().verify_file(str(write(name)))
    assert not plugin().verify_file("/nonexistent/redis_sentinel.yml")


# -- constructed


def test_composed_variables_and_groups(served: Served, write: Callable[..., Path]) -> None:
    file = write(
        hosts=named(served),
        compose={"ansible_user": "'redis'", "label": "redis_node_role | default('sentinel') ~ '-' ~ inventory_hostname"},
        groups={"writes_go_here": "redis_node_role | default('') == 'master'"},
        keyed_groups=[{"key": "redis_node_version | default(redis_sentinel_version)", "prefix": "version"}],
    )
    inventory = parsed(file)
    assert {host.vars["ansible_user"] for host in inventory.hosts.values()} == {"redis"}
    assert inventory.hosts["r-1"].vars["label"] == "replica-r-1"
    assert hosts_of(inventory, "writes_go_here") == ["m"]
    assert hosts_of(inventory, "version_7_0_15") == ["m", "r-1", "r-2", "s-1", "s-2", "s-3"]


@pytest.mark.parametrize("value", [True, False, 5, ["a", "b"], {"a": 1}])
def test_a_composed_value_that_is_no_text_is_no_expression(value: Any, served: Served, write: Callable[..., Path]) -> None:
    """Expressions and groups see it."""
    options = {"compose": {"ansible_become": value, "as_seen": "ansible_become"}, "groups": {"seen": "ansible_become == as_seen"}}
    inventory = parsed(write(hosts=named(served), strict=True, **options))
    assert [inventory.hosts["m"].vars[name] for name in ("ansible_become", "as_seen")] == [value, value]
    assert len(hosts_of(inventory, "seen")) == 6


def test_a_composed_variable_replaces_one_of_ours(served: Served, write: Callable[..., Path]) -> None:
    inventory = parsed(write(hosts=named(served), compose={"ansible_host": "inventory_hostname ~ '.example.org'"}))
    assert inventory.hosts["r-1"].vars["ansible_host"] == "r-1.example.org"


def test_a_wrong_expression_leaves_no_host(served: Served, write: Callable[..., Path]) -> None:
    inventory = InventoryData()
    inventory.add_host("m")
    inventory.set_variable("m", "ansible_host", "192.168.0.1")
    inventory.add_group("web")
    inventory.add_child("web", "m")
    with pytest.raises(AnsibleError, match="Could not set x"):
        parsed(write(hosts=named(served), strict=True, compose={"y": "1", "x": "no_such_variable"}), inventory)
    assert list(inventory.hosts) == ["m"]
    assert {name: hosts_of(inventory, name) for name in inventory.groups if hosts_of(inventory, name)} == {"web": ["m"]}
    assert inventory.hosts["m"].vars["ansible_host"] == "192.168.0.1"
    assert {"y", "redis_node_role"}.isdisjoint(inventory.hosts["m"].vars)


# -- hosts of other sources


def test_a_host_of_another_source_keeps_how_it_is_reached(served: Served, write: Callable[..., Path]) -> None:
    inventory = InventoryData()
    for name in ("m", "r-1", "r-2"):
        inventory.add_host(name)
    inventory.set_variable("m", "ansible_host", "192.168.0.1")
    table: dict[str, Any] = named(served)
    table[served.nodes[2]] = {"name": "r-2", "ansible_host": "192.168.0.3"}
    parsed(write(hosts=table), inventory)
    assert inventory.hosts["m"].vars["ansible_host"] == "192.168.0.1"
    assert "ansible_host" not in inventory.hosts["r-1"].vars
    assert inventory.hosts["r-2"].vars["ansible_host"] == "192.168.0.3"
    assert hosts_of(inventory, "redis_master") == ["m"]


def test_a_host_that_has_another_data_node_already(served: Served, write: Callable[..., Path]) -> None:
    inventory = InventoryData()
    inventory.add_host("m")
    inventory.set_variable("m", "redis_upgrade_redis_port", 1)
    with pytest.raises(AnsibleParserError, match="has redis_upgrade_redis_port 1 already"):
        parsed(write(hosts=named(served)), inventory)
    assert list(inventory.hosts) == ["m"]


# -- credentials


def all_words(inventory: InventoryData) -> str:
    return repr([(host.name, host.vars) for host in inventory.hosts.values()])


@pytest.mark.parametrize("how", ["file", "environment", "template"])
def test_credentials(served: Served, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """They reach the servers, and no variable of the inventory."""
    served.passwords = {"sentinel": SECRET, "node": NODE_SECRET}
    options = {"login_user": "ops", "login_password": SECRET, "node_login_password": NODE_SECRET}
    if how == "environment":
        for name, value in zip(("SENTINEL_USER", "SENTINEL_PASSWORD", "NODE_PASSWORD"), options.values(), strict=True):
            monkeypatch.setenv(f"SENTINELOPS_{name}", value)
        options = {}
    if how == "template":
        monkeypatch.setenv("FIRST", SECRET)
        monkeypatch.setenv("SECOND", NODE_SECRET)
        options["login_password"] = "{{ lookup('env', 'FIRST') }}"
        options["node_login_password"] = "{{ lookup('env', 'SECOND') }}"
    inventory = parsed(write(**options))
    assert set(served.logins) == {("sentinel", "ops", SECRET), ("node", NODE_SECRET)}
    assert SECRET not in all_words(inventory)
    assert NODE_SECRET not in all_words(inventory)


@pytest.mark.parametrize("how", ["environment", "extra variable"])
def test_a_password_that_looks_like_a_template(
    served: Served, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The environment has no templates; extra variables have some, unless marked as unsafe."""
    served.passwords = {"sentinel": LIKE_A_TEMPLATE}
    if how == "environment":
        monkeypatch.setenv("SENTINELOPS_SENTINEL_PASSWORD", LIKE_A_TEMPLATE)
    else:
        given = {"redis_upgrade_sentinel_password": wrap_var(LIKE_A_TEMPLATE)}
        monkeypatch.setattr(load_extra_vars, "extra_vars", given, raising=False)
    assert len(parsed(write()).hosts) == 5
    assert set(served.logins) == {("sentinel", LIKE_A_TEMPLATE)}


def test_a_template_in_an_extra_variable(served: Served, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"redis_upgrade_redis_password": trusted("{{ vault_password }}"), "vault_password": NODE_SECRET}
    monkeypatch.setattr(load_extra_vars, "extra_vars", given, raising=False)
    served.passwords = {"node": NODE_SECRET}
    assert len(parsed(write()).hosts) == 5


def trusted(text: str) -> Any:
    """Return the text as from a file of the user: a template. Before 2.19 all texts are."""
    return getattr(template, "trust_as_template", str)(text)


def test_a_wrong_password_is_not_shown(served: Served, write: Callable[..., Path]) -> None:
    served.passwords = {"sentinel": SECRET}
    with pytest.raises(AnsibleParserError) as raised:
        parsed(write(login_password="wrong-secret-9"))
    text = str(raised.value)
    assert "the Sentinel refused the login" in text
    assert "Check user and password. The options for each Sentinel are login_user, login_password" in text
    assert "No host was added to the inventory." in text
    assert "wrong-secret-9" not in text


@pytest.mark.parametrize("value", ["{{ no_such_variable }}", "secret-10 {% c", "{{ 'secret-10' | no_such_filter }}"])
def test_a_template_that_cannot_be_read(served: Served, write: Callable[..., Path], value: str) -> None:
    """The error does not show it: that may be a password with such characters."""
    with pytest.raises(AnsibleParserError, match=r"the option login_password is a template that cannot be read .*!unsafe") as raised:
        parsed(write(login_password=value))
    shown = "".join(traceback.format_exception(raised.value, chain=False)) + str(raised.value)
    assert "secret-10" not in shown
    assert raised.value.__cause__ is None
    assert served.asked == 0


def test_an_option_that_does_not_exist(served: Served, write: Callable[..., Path]) -> None:
    with pytest.raises(AnsibleParserError, match=r"there is no option login_passwrd\. See ansible-doc") as raised:
        parsed(write(login_passwrd=SECRET))
    assert SECRET not in str(raised.value)
    assert served.asked == 0


# -- never a part


def test_a_missing_sentinel_leaves_the_inventory_as_it_is(served: Served, write: Callable[..., Path]) -> None:
    served.recorded.flag("sentinels", served.sentinels[2], "s_down,sentinel")
    for said in list(served.recorded.sentinels.values())[:2]:
        for peer in said["sentinels"]:
            if f"127.0.0.1:{peer['port']}" == served.sentinels[2]:
                peer["port"] = "1"  # nobody listens there
    inventory = InventoryData()
    with pytest.raises(AnsibleParserError, match=r"a Sentinel does not answer: 127.0.0.1:1: .*No host was added"):
        parsed(write(), inventory)
    assert inventory.hosts == {}


def test_sentinels_that_disagree(served: Served, write: Callable[..., Path]) -> None:
    del served.recorded.sentinels[served.sentinels[1]]["replicas"][0]
    inventory = InventoryData()
    with pytest.raises(AnsibleParserError, match="the Sentinels disagree about the master 'mymaster': the replicas"):
        parsed(write(), inventory)
    assert inventory.hosts == {}


# -- the words of servers


def test_a_template_from_a_server_is_none(served: Served, write: Callable[..., Path]) -> None:
    served.recorded.tell(served.nodes[1], redis_version="{{ 6 * 7 }}")
    value = parsed(write(hosts=named(served))).hosts["r-1"].vars["redis_node_version"]
    assert value == "{{ 6 * 7 }}"
    assert plugin().templar.template(value) == value


# -- the cache


def test_the_cache_spares_the_servers_and_has_no_secret(served: Served, write: Callable[..., Path], tmp_path: Path) -> None:
    served.passwords = {"sentinel": SECRET, "node": NODE_SECRET}
    folder = tmp_path / "kept"
    settings = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(folder), "cache_timeout": 3600}
    logins = {"login_password": SECRET, "node_login_password": NODE_SECRET}
    first = parsed(write(**settings, **logins))
    asked = served.asked
    assert asked > 0
    assert all_words(parsed(write(**settings, **logins))) == all_words(first)
    assert served.asked == asked
    kept = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    assert "mymaster" in kept
    assert SECRET not in kept
    assert NODE_SECRET not in kept
    parsed(write(**settings, **logins), cache=False)
    assert served.asked > asked, "a refresh asks again"
    asked = served.asked
    parsed(write(**settings, **logins, master_names=["mymaster"]))
    assert served.asked > asked, "another request asks again"
    asked = served.asked
    parsed(write(**{**settings, "cache": False}, **logins))
    assert served.asked > asked, "no cache is wanted"


# -- its documentation


def test_every_option_that_is_read_is_documented() -> None:
    options = documentation()["options"]
    assert set(redis_sentinel.REQUEST_OPTIONS) <= set(options)
    assert set(CONNECTION_OPTIONS) >= set(TEMPLATES) - {"sentinels"}
    assert {name for name in options if "login" in name or "tls" in name} <= set(redis_sentinel.REQUEST_OPTIONS)


def test_the_examples_name_the_plugin_and_known_options() -> None:
    known = set(documentation()["options"])
    examples = list(yaml.safe_load_all(redis_sentinel.EXAMPLES))
    assert len(examples) == 2
    for example in examples:
        assert example["plugin"] == redis_sentinel.InventoryModule.NAME
        assert set(example) <= known
