"""The options of redis_instance with types, and the service that they lead to."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sentinelops.redis.plugins.module_utils._atomic_write import FileIdentity
from ansible_collections.sentinelops.redis.plugins.module_utils._errors import PreconditionFailed
from ansible_collections.sentinelops.redis.plugins.module_utils._host.process_facts import ProcessFacts
from ansible_collections.sentinelops.redis.plugins.module_utils._host.service import Command, Process
from ansible_collections.sentinelops.redis.plugins.module_utils._install.folders import Folders
from ansible_collections.sentinelops.redis.plugins.module_utils._install.own_commands import OwnCommands
from ansible_collections.sentinelops.redis.plugins.module_utils._install.symlink import Symlink
from ansible_collections.sentinelops.redis.plugins.module_utils._instance.request import (
    INSTANCE_SPEC,
    instance_request,
    service_for,
    switch_request,
    with_service,
)
from ansible_collections.sentinelops.redis.plugins.module_utils._server.address import Address
from ansible_collections.sentinelops.redis.plugins.module_utils._server.info import NodeInfo, node_info


def options(**given: Any) -> dict[str, Any]:
    """The module's options as Ansible gives them, with their defaults."""
    return {**{name: option.get("default") for name, option in INSTANCE_SPEC.items()}, **given}


def node(pid: int) -> NodeInfo:
    return node_info({"redis_version": "7.0.15", "process_id": str(pid), "role": "slave"})


def test_options_that_are_not_given() -> None:
    request = instance_request(options(state="stopped", login_port=6380))
    assert (request.address, request.force, request.wait_s) == (Address("127.0.0.1", 6380), False, 60)
    assert (request.files.executable, request.files.config_file, request.files.log_file) == ("", "", "")
    assert (request.service.manager, request.service.unit, request.service.process) == ("auto", "", None)


def test_the_log_file_is_the_given_one_or_that_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    assert instance_request(options(config_file=str(config))).files.log_file == "", "there is no such file yet"
    config.write_text("dir /data\nlogfile redis.log\n")
    assert instance_request(options(config_file=str(config))).files.log_file == "/data/redis.log"
    assert instance_request(options(config_file=str(config), log_file="/other.log")).files.log_file == "/other.log"


def test_the_activation_is_a_swap_of_folders_by_default() -> None:
    given = {"executable": "/opt/redis/redis-server", "config_file": "/etc/redis.conf", "folder": "/opt/redis", "version": "7.0.15"}
    request = switch_request(options(**given))
    assert (request.activation, request.version) == (Folders("/opt/redis"), "7.0.15")
    assert (request.config_identity, request.replicas) == (None, 0)
    link = {"method": "symlink", "staged": "/opt/7.0.15", "kept": "/opt/7.0.7"}
    request = switch_request(options(**given, activation=link, config_identity={"uid": 1, "gid": 2, "mode": 0o640}, replicas=3))
    assert request.activation == Symlink("/opt/redis", "/opt/7.0.15", "/opt/7.0.7")
    assert (request.config_identity, request.replicas) == (FileIdentity(1, 2, 0o640), 3)


def test_an_activation_by_commands(tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text("logfile /var/log/other.log\n")
    activation = {"method": "command", "new_version": "7.0.15", "previous_version": "7.0.5"}
    given = {"executable": "/x", "config_file": str(config), "folder": "", "version": "7.0.15", "activation": activation, "wait_s": 60}
    request = switch_request(options(**given, activate_command=["true", "{version}"], deactivate_command="false"))
    assert request.activation == OwnCommands(("true", "{version}"), ("false",), "7.0.15", "7.0.5", 60)
    assert (request.files.local, request.files.local_config, request.files.log_file) == (False, "", "")
    with pytest.raises(PreconditionFailed, match="deactivate_command is empty"):
        switch_request(options(**given, activate_command=["true"]))


def test_a_process_that_is_not_visible_is_no_plain_process() -> None:
    seen = replace(node(0), port=6379)
    with pytest.raises(PreconditionFailed, match="its process is not visible on this host"):
        service_for(instance_request(options(executable="/x", service_manager="process")), seen)
    commands = options(service_manager="command", start_command=["true"], stop_command=["true"])
    assert service_for(instance_request(commands), seen) == Command(("true",), ("true",))


def test_a_plain_process_is_started_as_its_owner() -> None:
    request = instance_request(options(service_manager="process", executable="/opt/redis-server", process={"uid": 1, "gid": 2}))
    assert service_for(request, None) == Process(ProcessFacts(1, 2))
    assert with_service(request, node(os.getpid())).service == Process(ProcessFacts(1, 2))


def test_a_plain_process_that_is_only_stopped_needs_no_executable() -> None:
    request = instance_request(options(service_manager="process"))
    assert service_for(request, node(os.getpid())) == Process()
    with pytest.raises(PreconditionFailed, match="the option executable is missing"):
        service_for(request, None)


def test_commands_are_given_as_words_or_as_a_line() -> None:
    request = instance_request(options(service_manager="command", start_command=["sh", "-c", "a b"], stop_command="sh -c 'c d'"))
    assert service_for(request, None) == Command(("sh", "-c", "a b"), ("sh", "-c", "c d"))


def test_no_password_is_shown() -> None:
    assert "s3cret" not in repr(instance_request(options(login_password="s3cret")))
