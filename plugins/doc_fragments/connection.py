# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description: Host or address of the server, as seen from the host that runs the module.
    type: str
    default: 127.0.0.1
  login_port:
    description: Port on which the server listens.
    type: int
    default: 6379
  login_user:
    description: ACL user to log in as. By default the default user.
    type: str
  login_password:
    description: Password of the user, or C(requirepass) of the server.
    type: str
  tls:
    description: Whether to connect with TLS.
    type: bool
    default: false
  validate_certs:
    description: Whether the server's certificate and host name must be valid. Used only with
      O(tls=true).
    type: bool
    default: true
  ca_certs:
    description: File with the certificates of the authorities to trust, on the host that runs
      the module.
    type: path
  client_cert_file:
    description: File with the client's certificate, on the host that runs the module.
    type: path
  client_key_file:
    description: File with the client's private key, on the host that runs the module.
    type: path
  timeout_ms:
    description: How long to wait for a connection or a reply, in milliseconds. Nothing is
      retried.
    type: int
    default: 5000
requirements:
  - redis (Python package) 4.3 or newer, on the host that runs the module
"""

    NODES = r"""
options:
  node_login_user:
    description: ACL user to log in as on the data nodes. By default the default user.
    type: str
  node_login_password:
    description: Password of that user, or C(requirepass) of the data nodes.
    type: str
  node_tls:
    description: Whether to connect to the data nodes with TLS. By default O(tls).
    type: bool
  node_validate_certs:
    description: Whether the data nodes' certificates and host names must be valid. By default
      O(validate_certs).
    type: bool
  node_ca_certs:
    description: File with the certificates of the authorities to trust for the data nodes. By
      default O(ca_certs).
    type: path
  node_client_cert_file:
    description: File with the client's certificate for the data nodes. By default
      O(client_cert_file).
    type: path
  node_client_key_file:
    description: File with the client's private key for the data nodes. By default
      O(client_key_file).
    type: path
notes:
  - The C(login_*) and TLS options lead to a Sentinel, the C(node_*) options to the data nodes.
"""

    ATTRIBUTES = r"""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying
      target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode),
      when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second
      invocation indicates no change.
"""

    # Of a module with the options above.
    GROUP = r"""
attributes:
  action_group:
    description: Use C(group/sentinelops.redis.redis) in C(module_defaults) to set the connection
      options for this module.
    support: full
    membership:
      - sentinelops.redis.redis
"""

    # Of a module without them.
    NO_GROUP = r"""
attributes:
  action_group:
    description: The module has no connection options to set in C(module_defaults) for a group.
    support: none
    membership: []
"""

    # How to start a plain process.
    PROCESS = r"""
options:
  process:
    description:
      - How to start a plain process, as M(sentinelops.redis.redis_survey) returns it. Another user
        needs root.
      - By default as the running server was started. If none runs, with the user, folder and
        limits of the module.
      - M(sentinelops.redis.redis_config_try) uses user, groups and folder only, and by default
        those of the module and the configuration file.
    type: dict
    suboptions:
      uid:
        description: User id.
        type: int
        required: true
      gid:
        description: Group id.
        type: int
        required: true
      groups:
        description: Ids of the supplementary groups. By default those of the user.
        type: list
        elements: int
      folder:
        description: The folder to start in. By default, and if it does not exist, the folder of
          the configuration file.
        type: str
      umask:
        description: The file mode creation mask, as a number.
        type: int
      limits:
        description: Resource limits by their names in limits.conf(5), each a list of soft and hard
          limit, -1 for unlimited.
        type: dict
      nice:
        description: The nice value.
        type: int
      oom_score_adj:
        description: The OOM score adjustment, unless the configuration file sets C(oom-score-adj).
        type: int
      stdout:
        description: The file for standard output. It is opened only if it is still the same file.
        type: dict
        suboptions:
          path:
            description: The path of the file.
            type: str
            required: true
          device:
            description: The number of its device.
            type: int
          inode:
            description: The number of its inode.
            type: int
      stderr:
        description: The same for standard error.
        type: dict
        suboptions:
          path:
            description: The path of the file.
            type: str
            required: true
          device:
            description: The number of its device.
            type: int
          inode:
            description: The number of its inode.
            type: int
"""

    # Of a module that may wait for long.
    PROGRESS = r"""
options:
  progress_file:
    description:
      - A file that the module makes if it lasts for some seconds, in which it says what it waits
        for, and which it removes at its end. An existing file is left alone.
      - The action of the same name sets and reads it, so leave this option out. A file is not read
        with C(no_log) or C(async).
    type: path
"""
