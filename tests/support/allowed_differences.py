"""Changes that an upgrade may make in CONFIG GET, ACL LIST and Sentinels' replies: the whole list.

Measured with fresh servers of each version and the same configuration file. Whatever is not here
must be the same before and after an upgrade, a rollback or a handover.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CROSSINGS", "FOLLOWED", "MOVING", "OF_DEAD_MASTERS", "RENAMED", "RENAMED_PATHS", "Crossing"]

# Fields of SENTINEL MASTER that move by themselves, each with its reason.
MOVING = {
    "runid": "each start gives a server a new one",
    "config-epoch": "each failover raises it, and so does a handover",
    "link-pending-commands": "commands that are under way now",
    "link-refcount": "Sentinels of several masters share links",
    "last-ping-sent": "a time",
    "last-ok-ping-reply": "a time",
    "last-ping-reply": "a time",
    "info-refresh": "a time",
    "role-reported-time": "a time",
    "s-down-time": "a time",
    "o-down-time": "a time",
}

# Fields of a master that is down for all the time, as a Sentinel's start sees them anew.
OF_DEAD_MASTERS = ("flags", "role-reported", "num-slaves", "num-other-sentinels")

# Settings and fields that say who the master is: they move with its role.
FOLLOWED = ("replicaof", "slaveof", "ip", "port")

# Settings that a later version tells under a new name as well (7.0, Valkey 8.0); the value must be
# that of the old name.
RENAMED = {"replicaof": "slaveof", "primaryauth": "masterauth", "primaryuser": "masteruser"}

# Settings that name files. The units of Valkey's packages have folders of their own.
RENAMED_PATHS = ("dir", "logfile", "pidfile", "aclfile", "unixsocket")


@dataclass(frozen=True)
class Crossing:
    """Changes by the first version of ``at`` or later, for servers that are older before.

    ``added`` and ``dropped``: settings with their defaults. ``changed``: defaults, old and new; a
    server writes no setting with its default value into its file, so the new default applies.
    ``sentinel``: the same for SENTINEL CONFIG GET as ``added``.
    """

    at: str
    added: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    sentinel: dict[str, str] = field(default_factory=dict)


CROSSINGS = (
    Crossing(
        "redis 6.2",
        added={
            "acl-pubsub-default": "allchannels",
            "aclfile": "",
            "acllog-max-len": "128",
            "active-expire-effort": "1",
            "always-show-logo": "no",
            "aof_rewrite_cpulist": "",
            "appendfilename": "appendonly.aof",
            "bgsave_cpulist": "",
            "bio_cpulist": "",
            "cluster-allow-reads-when-down": "no",
            "cluster-allow-replica-migration": "yes",
            "cluster-announce-tls-port": "0",
            "cluster-enabled": "no",
            "crash-log-enabled": "yes",
            "crash-memcheck-enabled": "yes",
            "disable-thp": "yes",
            "gopher-enabled": "no",
            "ignore-warnings": "",
            "io-threads": "1",
            "io-threads-do-reads": "no",
            "jemalloc-bg-thread": "yes",
            "key-load-delay": "0",
            "lazyfree-lazy-user-del": "no",
            "lazyfree-lazy-user-flush": "no",
            "lua-replicate-commands": "yes",
            "masteruser": "",
            "maxmemory-eviction-tenacity": "10",
            "oom-score-adj": "no",
            "oom-score-adj-values": "0 200 800",
            "proc-title-template": "{title} {listen-addr} {server-mode}",
            "rdb-del-sync-files": "no",
            "rdb-key-save-delay": "0",
            "repl-diskless-load": "disabled",
            "replica-announced": "yes",
            "sanitize-dump-payload": "no",
            "server_cpulist": "",
            "set-proc-title": "yes",
            "syslog-enabled": "no",
            "syslog-ident": "redis",
            "tracking-table-max-keys": "1000000",
            "use-exit-on-panic": "no",
        },
        changed={
            "active-defrag-cycle-max": ("75", "25"),
            "active-defrag-cycle-min": ("5", "1"),
        },
        sentinel={
            "announce-hostnames": "no",
            "announce-ip": "",
            "announce-port": "0",
            "resolve-hostnames": "no",
            "sentinel-pass": "",
            "sentinel-user": "",
        },
    ),
    Crossing(
        "redis 7.0",
        added={
            "aof-disable-auto-gc": "no",
            "aof-timestamp-enabled": "no",
            "appenddirname": "appendonlydir",
            "bind-source-addr": "",
            "busy-reply-threshold": "5000",
            "cluster-allow-pubsubshard-when-down": "yes",
            "cluster-announce-hostname": "",
            "cluster-config-file": "nodes.conf",
            "cluster-link-sendbuf-limit": "0",
            "cluster-port": "0",
            "cluster-preferred-endpoint-type": "ip",
            "enable-debug-command": "no",
            "enable-module-command": "no",
            "enable-protected-configs": "no",
            "hash-max-listpack-entries": "512",
            "hash-max-listpack-value": "64",
            "latency-tracking": "yes",
            "latency-tracking-info-percentiles": "50 99 99.9",
            "list-max-listpack-size": "-2",
            "maxmemory-clients": "0",
            "propagation-error-behavior": "ignore",
            "repl-diskless-sync-max-replicas": "0",
            "replica-ignore-disk-write-errors": "no",
            "shutdown-on-sigint": "default",
            "shutdown-on-sigterm": "default",
            "shutdown-timeout": "10",
            "socket-mark-id": "0",
            "tls-auth-clients": "yes",
            "tls-ca-cert-dir": "",
            "tls-ca-cert-file": "",
            "tls-cert-file": "",
            "tls-ciphers": "",
            "tls-ciphersuites": "",
            "tls-client-cert-file": "",
            "tls-client-key-file": "",
            "tls-client-key-file-pass": "",
            "tls-cluster": "no",
            "tls-dh-params-file": "",
            "tls-key-file": "",
            "tls-key-file-pass": "",
            "tls-port": "0",
            "tls-prefer-server-ciphers": "no",
            "tls-protocols": "",
            "tls-replication": "no",
            "tls-session-cache-size": "20480",
            "tls-session-cache-timeout": "300",
            "tls-session-caching": "yes",
            "zset-max-listpack-entries": "128",
            "zset-max-listpack-value": "64",
        },
        dropped={
            "gopher-enabled": "no",
            "key-load-delay": "0",
            "lua-replicate-commands": "yes",
            "rdb-key-save-delay": "0",
            "use-exit-on-panic": "no",
            "watchdog-period": "0",
        },
        changed={
            "acl-pubsub-default": ("allchannels", "resetchannels"),
            "bind": ("", "* -::*"),
            "repl-diskless-sync": ("no", "yes"),
        },
    ),
    # 7.2, 7.4 and 8.0 together; Valkey left Redis before 7.4
    Crossing(
        "redis 8.0",
        added={
            "aof-rewrite-cpulist": "",
            "bgsave-cpulist": "",
            "bio-cpulist": "",
            "cluster-announce-human-nodename": "",
            "cluster-compatibility-sample-ratio": "0",
            "hide-user-data-from-log": "no",
            "locale-collate": "",
            "max-new-connections-per-cycle": "10",
            "max-new-tls-connections-per-cycle": "1",
            "replica-full-sync-buffer-limit": "0",
            "server-cpulist": "",
            "set-max-listpack-entries": "128",
            "set-max-listpack-value": "64",
        },
        dropped={
            "aof-disable-auto-gc": "no",
            "io-threads-do-reads": "no",
        },
        sentinel={
            "loglevel": "notice",
        },
    ),
    Crossing(
        "valkey 8.0",
        added={
            "aof-rewrite-cpulist": "",
            "availability-zone": "",
            "bgsave-cpulist": "",
            "bio-cpulist": "",
            "cluster-announce-client-ipv4": "",
            "cluster-announce-client-ipv6": "",
            "cluster-announce-human-nodename": "",
            "cluster-blacklist-ttl": "60",
            "cluster-slot-stats-enabled": "no",
            "dual-channel-replication-enabled": "no",
            "events-per-io-thread": "2",
            "extended-redis-compatibility": "no",
            "hide-user-data-from-log": "yes",
            "locale-collate": "",
            "max-new-connections-per-cycle": "10",
            "max-new-tls-connections-per-cycle": "1",
            "prefetch-batch-max-size": "16",
            "server-cpulist": "",
            "set-max-listpack-entries": "128",
            "set-max-listpack-value": "64",
            "unixsocketgroup": "",
        },
        dropped={
            "aof-disable-auto-gc": "no",
        },
        changed={
            "io-threads-do-reads": ("no", "yes"),
            "lazyfree-lazy-eviction": ("no", "yes"),
            "lazyfree-lazy-expire": ("no", "yes"),
            "lazyfree-lazy-server-del": ("no", "yes"),
            "lazyfree-lazy-user-del": ("no", "yes"),
            "lazyfree-lazy-user-flush": ("no", "yes"),
            "repl-backlog-size": ("1048576", "10485760"),
            "replica-lazy-flush": ("no", "yes"),
            "slave-lazy-flush": ("no", "yes"),
            "syslog-ident": ("redis", "valkey"),
        },
        sentinel={
            "loglevel": "notice",
        },
    ),
    Crossing(
        "valkey 9.0",
        added={
            "active-defrag-cycle-us": "500",
            "cluster-announce-client-port": "0",
            "cluster-announce-client-tls-port": "0",
            "cluster-config-save-behavior": "sync",
            "cluster-databases": "1",
            "cluster-manual-failover-timeout": "5000",
            "cluster-slot-migration-log-max-len": "1000",
            "commandlog-execution-slower-than": "10000",
            "commandlog-large-reply-max-len": "128",
            "commandlog-large-request-max-len": "128",
            "commandlog-reply-larger-than": "1048576",
            "commandlog-request-larger-than": "1048576",
            "commandlog-slow-execution-max-len": "128",
            "hash-seed": "",
            "import-mode": "no",
            "log-format": "legacy",
            "log-timestamp-format": "legacy",
            "mptcp": "no",
            "rdb-version-check": "strict",
            "rdma-bind": "",
            "rdma-completion-vector": "-1",
            "rdma-port": "0",
            "rdma-rx-size": "1048576",
            "repl-mptcp": "no",
            "slot-migration-max-failover-repl-bytes": "0",
            "tls-auth-clients-user": "off",
            "tls-auto-reload-interval": "0",
        },
        dropped={
            "dynamic-hz": "yes",
            "events-per-io-thread": "2",
            "io-threads-do-reads": "yes",
            "sanitize-dump-payload": "no",
        },
    ),
)
