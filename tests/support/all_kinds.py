"""Writes of every kind that Redis 6.2 and all later versions know."""

from __future__ import annotations

from ansible_collections.sentinelops.redis.plugins.module_utils._server.commands import Server

__all__ = ["write_all_kinds"]


def write_all_kinds(server: Server, number: int) -> int:
    """Write with each kind of command once, on keys that end with the number; return how many."""
    done = 0
    for line in _KINDS.format(n=number, m=number % 7).strip().splitlines():
        words = [word.replace("~", " ") for word in line.split()]
        server.command(*words)
        done += 1
    return done


# ~ is a space within a word
_KINDS = """
SET k-string-{n} value
SET k-expiring-{n} value EX 7200
SETEX k-setex-{n} 7200 value
GETSET k-string-{n} other
APPEND k-string-{n} more
SETRANGE k-string-{n} 2 xx
INCRBY k-counter {n}
INCRBYFLOAT k-float-{n} 0.25
MSET k-m1-{n} a k-m2-{n} b
GETEX k-m1-{n} EX 7200
GETDEL k-m2-{n}
SETBIT k-bits-{m} {n} 1
BITFIELD k-field-{m} INCRBY u16 8 3
BITOP OR k-bitop-{m} k-bits-{m} k-string-{n}
RPUSH k-list-{m} {n} a b
LPUSH k-list-{m} {n}
LINSERT k-list-{m} BEFORE a x
LMOVE k-list-{m} k-list-other-{m} LEFT RIGHT
RPOP k-list-{m}
LTRIM k-list-other-{m} 0 50
HSET k-hash-{m} f{n} v g w
HINCRBY k-hash-{m} count 2
HINCRBYFLOAT k-hash-{m} sum 0.5
HDEL k-hash-{m} g
SADD k-set-{m} {n} a b c
SREM k-set-{m} a
SPOP k-set-{m}
SMOVE k-set-{m} k-set-other-{m} b
SINTERSTORE k-inter-{m} k-set-{m} k-set-other-{m}
ZADD k-zset-{m} {n} member-{n} 1 low
ZINCRBY k-zset-{m} 1.5 low
ZPOPMAX k-zset-{m}
ZRANGESTORE k-zrange-{m} k-zset-{m} 0 -1
PFADD k-hll-{m} {n} x
PFMERGE k-hll-all k-hll-{m}
GEOADD k-geo-{m} 13.36 38.11 place-{n}
GEOSEARCHSTORE k-geo-near-{m} k-geo-{m} FROMLONLAT 13 38 BYRADIUS 200 km
XADD k-stream-{m} MAXLEN 200 * n {n}
XGROUP CREATE k-stream-{m} g{n} 0
XREADGROUP GROUP g{n} c COUNT 2 STREAMS k-stream-{m} >
XGROUP DESTROY k-stream-{m} g{n}
XTRIM k-stream-{m} MAXLEN 100
COPY k-string-{n} k-copy-{n}
RENAME k-copy-{n} k-renamed-{n}
EXPIRE k-renamed-{n} 7200
PERSIST k-renamed-{n}
SORT k-set-{m} ALPHA STORE k-sorted-{m}
EVAL return~redis.call('set',KEYS[1],ARGV[1]) 1 k-lua-{n} {n}
UNLINK k-field-{m}
DEL k-m1-{n}
PUBLISH k-channel {n}
"""
