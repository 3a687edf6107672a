# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a running server that its configuration file lacks, so that a restart loses them.

CONFIG REWRITE saves every setting that was given as an argument, with users and included files, but
no renamed command; before 7.0 no module either (tried with 5.0.6, 6.2.14, 7.0.15, Valkey 8.0.1 and
9.1.2). The arguments themselves cannot be read, see ``_host/process_facts``.
"""

from __future__ import annotations

from .._errors import AccessDenied, CommandRefused, ConnectionFailed, PreconditionFailed
from .._host.service import Process
from .._install.instance_files import InstanceFiles
from .._server.commands import Server
from .._server.config_file import included_directives
from .._server.info import NodeInfo
from .._server.versions import version_key

__all__ = ["lost_commands", "lost_modules", "refuse_lost_commands"]

# All commands of Redis 5.0 that every later version has, too, up to Valkey 9.1.
_COMMANDS = (
    "append asking auth bgrewriteaof bgsave bitcount bitfield bitop bitpos blpop brpop brpoplpush bzpopmax bzpopmin client cluster "
    "command config dbsize debug decr decrby del discard dump echo eval evalsha exec exists expire expireat flushall flushdb geoadd "
    "geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro get getbit getrange getset hdel hexists hget "
    "hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hscan hset hsetnx hstrlen hvals incr incrby incrbyfloat info keys lastsave "
    "latency lindex linsert llen lolwut lpop lpush lpushx lrange lrem lset ltrim memory mget migrate module monitor move mset msetnx "
    "multi object persist pexpire pexpireat pfadd pfcount pfdebug pfmerge pfselftest ping psetex psubscribe psync pttl publish pubsub "
    "punsubscribe randomkey readonly readwrite rename renamenx replconf replicaof restore restore-asking role rpop rpoplpush rpush "
    "rpushx sadd save scan scard script sdiff sdiffstore select set setbit setex setnx setrange shutdown sinter sinterstore sismember "
    "slaveof slowlog smembers smove sort spop srandmember srem sscan strlen subscribe substr sunion sunionstore swapdb sync time touch "
    "ttl type unlink unsubscribe unwatch wait watch xack xadd xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange "
    "xsetid xtrim zadd zcard zcount zincrby zinterstore zlexcount zpopmax zpopmin zrange zrangebylex zrangebyscore zrank zrem "
    "zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunionstore"
)
_SINCE_6_2 = (
    "acl bitfield_ro blmove copy failover geosearch geosearchstore getdel getex hello hrandfield lmove lpos reset smismember xautoclaim "
    "zdiff zdiffstore zinter zmscore zrandmember zrangestore zunion"
)


def lost_commands(server: Server, version: str, config_file: str, folder: str) -> list[str] | None:
    """Return the commands that are renamed or disabled, but not by the configuration file.

    None if the server may not be asked, or does not know COMMAND.
    """
    asked = [*_COMMANDS.split(), *(_SINCE_6_2.split() if version_key(version) >= (6, 2) else [])]
    try:
        reply = server.command("COMMAND", "INFO", *asked)
    except (AccessDenied, CommandRefused, ConnectionFailed):
        return None
    if not isinstance(reply, list) or len(reply) != len(asked):
        return None
    configured = {words[0].lower() for words in included_directives(config_file, folder).get("rename-command", []) if words}
    return [name for name, found in zip(asked, reply) if not found and name not in configured]


def lost_modules(server: Server, version: str, config_file: str, folder: str) -> int:
    """Return how many more modules are loaded than the configuration file names.

    0 from version 7.0 on, where CONFIG REWRITE saves them; there INFO also lists built-in ones.
    """
    if version_key(version) >= (7,):
        return 0
    try:
        if version_key(version) >= (6,):
            loaded = sum(line.startswith("module:") for line in str(server.command("INFO", "modules")).splitlines())
        else:
            loaded = len(server.command("MODULE", "LIST"))
    except (AccessDenied, CommandRefused, ConnectionFailed):
        return 0
    return max(0, loaded - len(included_directives(config_file, folder).get("loadmodule", [])))


def refuse_lost_commands(server: Server, node: NodeInfo | None, files: InstanceFiles) -> None:
    """Raise PreconditionFailed if the restart of a plain process would lose renamed commands."""
    if node is None or files.sentinel or not isinstance(files.service, Process):
        return
    folder = files.service.facts.start_folder(node.config_file) if files.service.facts else ""
    lost = lost_commands(server, node.version, node.config_file, folder)
    if lost:
        raise PreconditionFailed(
            f"it was started with arguments that rename or disable commands ({', '.join(lost)}), and its configuration file does not",
            node=str(server.address),
            state="The server was left alone",
            advice="Write the rename-command lines into the file, or let a start command or a unit of systemd start the server",
        )
