# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options with which the inventory plugin logs in to servers."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_user:
    description: ACL user to log in as on the Sentinels. By default the default user.
    type: str
    env:
      - name: SENTINELOPS_SENTINEL_USER
    vars:
      - name: redis_upgrade_sentinel_user
  login_password:
    description: Password of that user, or C(requirepass) of the Sentinels.
    type: str
    env:
      - name: SENTINELOPS_SENTINEL_PASSWORD
    vars:
      - name: redis_upgrade_sentinel_password
  tls:
    description: Whether to connect with TLS.
    type: bool
    default: false
    vars:
      - name: redis_upgrade_tls
  validate_certs:
    description: Whether certificates, and the addresses in them, must be valid.
    type: bool
    default: true
    vars:
      - name: redis_upgrade_validate_certs
  ca_certs:
    description: File with the certificates of the authorities to trust, on the controller.
    type: path
    env:
      - name: SENTINELOPS_CA_CERTS
  client_cert_file:
    description: File with the client's certificate, on the controller.
    type: path
    env:
      - name: SENTINELOPS_CLIENT_CERT_FILE
  client_key_file:
    description: File with the client's private key, on the controller.
    type: path
    env:
      - name: SENTINELOPS_CLIENT_KEY_FILE
  timeout_ms:
    description: How long to wait for a connection or a reply, in milliseconds. Nothing is retried.
    type: int
    default: 5000
  node_login_user:
    description: ACL user to log in as on the data nodes. By default the default user.
    type: str
    env:
      - name: SENTINELOPS_NODE_USER
    vars:
      - name: redis_upgrade_redis_user
  node_login_password:
    description: Password of that user, or C(requirepass) of the data nodes.
    type: str
    env:
      - name: SENTINELOPS_NODE_PASSWORD
    vars:
      - name: redis_upgrade_redis_password
  node_tls:
    description: Whether to connect to the data nodes with TLS. By default O(tls).
    type: bool
  node_validate_certs:
    description: The same as O(validate_certs) for data nodes. By default O(validate_certs).
    type: bool
  node_ca_certs:
    description: The same as O(ca_certs) for data nodes. By default O(ca_certs).
    type: path
  node_client_cert_file:
    description: The same as O(client_cert_file) for data nodes. By default O(client_cert_file).
    type: path
  node_client_key_file:
    description: The same as O(client_key_file) for data nodes. By default O(client_key_file).
    type: path
"""
