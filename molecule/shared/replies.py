"""Print an instance's settings, users and views as JSON: replies.py PORT redis|sentinel.

The login is in the environment: REPLIES_USER and REPLIES_PASSWORD. Each reply is printed as the
server gives it, with the words of its command, for whole_state.py on the controller.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import redis

COMMON = [["INFO"], ["ACL", "LIST"]]
OF_KIND = {
    "redis": [["CONFIG", "GET", "*"], ["ROLE"]],
    "sentinel": [["SENTINEL", "MASTERS"], ["SENTINEL", "CONFIG", "GET", "*"]],
}


def flat(reply: Any) -> Any:
    """Return a reply in the form of RESP2, whichever protocol redis-py has chosen."""
    if isinstance(reply, dict):
        return [part for pair in reply.items() for part in pair]
    return [flat(one) for one in reply] if isinstance(reply, list) else reply


def main() -> None:
    port, kind = int(sys.argv[1]), sys.argv[2]
    login = {"username": os.environ.get("REPLIES_USER") or None, "password": os.environ.get("REPLIES_PASSWORD") or None}
    connection = redis.Connection(host="127.0.0.1", port=port, socket_timeout=5, decode_responses=True, **login)
    connection.connect()
    found = []
    for words in COMMON + OF_KIND[kind]:
        connection.send_command(*words)
        try:
            found.append([words, flat(connection.read_response())])
        except redis.ResponseError as error:
            found.append([words, {"refused": str(error)}])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
