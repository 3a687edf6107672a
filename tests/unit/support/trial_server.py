"""A program in place of a server in a config trial."""

from __future__ import annotations

import sys
from pathlib import Path

# A server that finds its socket in the configuration, reports about itself, and runs ``does``.
SERVER = """#!{python}
import json, os, re, socket, sys, time
text = open(sys.argv[1]).read()
folder = os.path.dirname(os.path.abspath(sys.argv[1]))
seen = {{"pid": os.getpid(), "uid": os.geteuid(), "cwd": os.getcwd(), "arguments": sys.argv[2:], "folder": folder, "text": text,
        "mode": os.stat(sys.argv[1]).st_mode & 0o777, "folder_mode": os.stat(folder).st_mode & 0o777, "environment": dict(os.environ)}}
with open({seen!r} + ".partial", "w") as file:
    json.dump(seen, file)
os.rename({seen!r} + ".partial", {seen!r})
tells = os.path.join(os.path.dirname({seen!r}), "hangs")
{does}
"""
ANSWERS = """
path = re.findall('^unixsocket "(.*)"', text, re.M)[-1]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    client, _address = server.accept()
    client.recv(100)
    client.sendall({reply!r})
    client.close()
"""
HANGS = "time.sleep(120)"


def write_server(folder: Path, seen: Path, does: str) -> Path:
    """Write the program and return its path; ``seen`` is the file for its report about itself."""
    program = folder / "redis-server"
    program.write_text(SERVER.format(python=sys.executable, seen=str(seen), does=does))
    program.chmod(0o755)
    return program
