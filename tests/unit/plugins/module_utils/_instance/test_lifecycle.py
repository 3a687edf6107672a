"""Finding, starting, stopping and restarting a plain process; a script is the server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import OperationFailed, PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process import alive
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.lifecycle import restart, running_instance, start
from ansible_collections.sentinelops.redis.plugins.module_utils._wait import Clock
from ansible_collections.sentinelops.redis.tests.unit.support.instance import CLOCK, OLD, WAIT_S, Instance
from ansible_collections.sentinelops.redis.tests.unit.support.version_folder import FAILS, HANGS, SERVES, place

# -- the running instance


def test_nobody_serves(instance: Instance) -> None:
    assert instance.running_instance() is None


def test_it_serves(instance: Instance) -> None:
    instance.start()
    node = instance.running_instance()
    assert node is not None
    assert (node.version, node.role) == (OLD, "replica")


def test_a_link_to_the_configuration_file_is_the_same_file(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "link.conf").symlink_to(instance.config)
    instance.start()
    instance.server.info["config_file"] = str(tmp_path / "link.conf")
    assert instance.running_instance() is not None


@pytest.mark.parametrize("config_file", ["/etc/other.conf", ""])
def test_another_server_on_the_port_is_left_alone(instance: Instance, config_file: str) -> None:
    instance.start()
    instance.server.info["config_file"] = config_file
    with pytest.raises(PreconditionFailed, match="another server is there") as caught:
        instance.running_instance()
    assert f"configuration file {config_file or 'none'}" in str(caught.value)
    assert caught.value.state == "The server was left alone"


def test_any_server_will_do_where_no_configuration_is_expected(instance: Instance) -> None:
    instance.start()
    assert running_instance(instance.server, "") is not None


def test_something_that_speaks_another_protocol_is_left_alone(instance: Instance) -> None:
    instance.start()
    instance.server.refuses["INFO"] = "ERR unknown command"
    with pytest.raises(PreconditionFailed, match="is not a Redis server: ERR unknown command"):
        instance.running_instance()


def test_something_that_hangs_is_left_alone(instance: Instance) -> None:
    instance.start()
    instance.server.hangs = True
    with pytest.raises(PreconditionFailed, match="what listens on this port hangs") as caught:
        instance.running_instance()
    assert caught.value.state == "The server was left alone"


# -- start and stop


def test_started_and_stopped(instance: Instance) -> None:
    node = instance.start()
    assert (node.version, alive(node.pid)) == (OLD, True)
    instance.stop()
    assert not alive(node.pid)


@pytest.mark.parametrize(("missing", "what"), [("redis-server", "executable"), ("redis.conf", "configuration file")])
def test_a_file_is_missing(instance: Instance, missing: str, what: str) -> None:
    (instance.active / missing).unlink()
    with pytest.raises(PreconditionFailed, match=f"the {what} .* does not exist") as caught:
        instance.start()
    assert caught.value.state == "Nothing was started"


def test_the_last_words_of_a_server_that_ends_at_once(instance: Instance) -> None:
    place(instance.active, OLD, FAILS)
    instance.log.write_text("an old line\n")
    with pytest.raises(OperationFailed, match="ended at once with exit code 1") as caught:
        instance.start()
    assert "*** FATAL CONFIG FILE ERROR ***" in str(caught.value)
    assert "gopher-enabled" in str(caught.value)
    assert caught.value.facts["log_tail"] == [], "what was in the log before is not its fault"
    assert caught.value.state == "The instance does not serve"


def test_the_log_of_a_server_that_ends_at_once(instance: Instance) -> None:
    place(instance.active, OLD, f"echo 'Can not open the data' >> {instance.log}; exit 2")
    with pytest.raises(OperationFailed, match="Can not open the data") as caught:
        instance.start()
    assert caught.value.facts["log_tail"] == ["Can not open the data"]


NO_ADDRESS = "Could not create server TCP listening socket 192.0.2.12:6379: bind: Cannot assign requested address"


def test_a_host_that_lacks_the_address_for_a_moment(instance: Instance) -> None:
    """A host that has lost its network, and gets its address back a second later."""
    place(instance.active, OLD, f"if test ! -e tried; then touch tried; echo '{NO_ADDRESS}' >> {instance.log}; exit 1; fi; {SERVES}")
    node = instance.start()
    assert (node.version, alive(node.pid)) == (OLD, True)
    assert NO_ADDRESS in instance.log.read_text()


def test_a_host_that_lacks_the_address_for_good(instance: Instance) -> None:
    place(instance.active, OLD, f"echo '{NO_ADDRESS}' >> {instance.log}; exit 1")
    with pytest.raises(OperationFailed, match="Cannot assign requested address"):
        start(instance.server, instance.files, 0.1, CLOCK)


def test_a_server_that_never_answers(instance: Instance) -> None:
    place(instance.active, OLD, HANGS)
    with pytest.raises(OperationFailed, match=r"does not serve after 0\.1 s, it does not answer"):
        start(instance.server, instance.files, 0.1, CLOCK)


def test_a_server_that_loads_for_too_long(instance: Instance) -> None:
    instance.server.info["loading"] = "1"
    with pytest.raises(OperationFailed, match="it still loads its data"):
        start(instance.server, instance.files, 0.1, CLOCK)


def test_a_server_that_has_loaded_meanwhile(instance: Instance) -> None:
    instance.server.info["loading"] = "1"

    class Loads(Clock):
        def sleep_s(self, seconds: float) -> None:
            super().sleep_s(seconds)
            if instance.server.running():
                instance.server.info["loading"] = "0"

    assert not start(instance.server, instance.files, WAIT_S, Loads()).loading


def test_another_server_answers(instance: Instance) -> None:
    instance.server.info["process_id"] = str(os.getpid())
    with pytest.raises(OperationFailed, match=rf"another server \(pid {os.getpid()}\) answers"):
        instance.start()


def test_a_server_that_refuses_to_shut_down(instance: Instance) -> None:
    instance.start()
    instance.server.refuses["SHUTDOWN"] = "ERR Errors trying to SHUTDOWN. Check logs."
    with pytest.raises(OperationFailed, match="it refuses to shut down: ERR Errors trying to SHUTDOWN") as caught:
        instance.stop()
    assert caught.value.state == "The server is still running"
    assert instance.running() == OLD


def test_a_server_that_does_not_go_away(instance: Instance) -> None:
    node = instance.start()
    instance.server.stays = True
    with pytest.raises(OperationFailed, match=rf"its process {node.pid} is still there 0\.1 s after SHUTDOWN"):
        instance.stop(wait_s=0.1)


def test_a_server_whose_process_is_not_visible_is_awaited_by_its_port(instance: Instance) -> None:
    """No process of this host listens on the port that the server tells."""
    instance.start()
    instance.server.info["tcp_port"] = "1"
    node = instance.running_instance()
    assert node is not None
    assert node.pid == 0
    instance.stop()
    assert instance.running() == ""


def test_a_server_whose_process_is_not_visible_and_that_does_not_end(instance: Instance) -> None:
    instance.start()
    instance.server.info["tcp_port"], instance.server.stays = "1", True
    with pytest.raises(OperationFailed, match=r"it is still there 0\.3 s after SHUTDOWN"):
        instance.stop(wait_s=0.3)
    assert instance.running() == OLD


def test_restarted(instance: Instance) -> None:
    first = instance.start()
    second = restart(instance.server, instance.files, WAIT_S, CLOCK)
    assert first.pid != second.pid
    assert not alive(first.pid)


def test_restarted_where_it_did_not_run(instance: Instance) -> None:
    assert restart(instance.server, instance.files, WAIT_S, CLOCK).version == OLD
