"""A stand-in for ssh: commands run on this machine; tests refuse or break connections."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import yaml
from deployment import Deployment

# As with sshd, a broken connection leaves the command running, with its output closed.
PROGRAM = """#!{python}
import os, pathlib, subprocess, sys, threading, time

if sys.argv[-2] == "-o":  # Ansible asks whether connections can be shared
    sys.exit("Bad configuration option: ControlPersist")
folder, host, command = pathlib.Path(__file__).parent, sys.argv[-2], sys.argv[-1]

def end_if(state):
    if (folder / f"{{state}}-{{host}}").exists():
        os.write(2, f"ssh: connect to host {{host}} port 22: {{state}} by the test\\n".encode())
        os._exit(255)

end_if("unreachable")
pipe = subprocess.PIPE
process = subprocess.Popen(["/bin/sh", "-c", command], stdin=sys.stdin, stdout=pipe, stderr=pipe, start_new_session=True)

def forward(source, target):
    while block := os.read(source.fileno(), 65536):
        os.write(target, block)

threads = [threading.Thread(target=forward, args=pair, daemon=True) for pair in ((process.stdout, 1), (process.stderr, 2))]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads) or process.poll() is None:
    end_if("unreachable")
    time.sleep(0.02)
sys.exit(process.returncode)
"""


@contextlib.contextmanager
def over_ssh(deployment: Deployment) -> Iterator[None]:
    """Give every instance a host of its own in the inventory, reached with the stand-in for ssh."""
    program = deployment.folder / "ssh"
    program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    before = deployment.inventory.read_text(encoding="utf-8")
    inventory = yaml.safe_load(before)
    inventory["all"]["vars"] |= {
        "ansible_connection": "ssh",
        "ansible_ssh_executable": str(program),
        "ansible_ssh_transfer_method": "piped",
    }
    deployment.inventory.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    try:
        yield
    finally:
        deployment.inventory.write_text(before, encoding="utf-8")


@contextlib.contextmanager
def unreachable(deployment: Deployment, name: str) -> Iterator[None]:
    """Refuse new connections to the host, and break the existing ones."""
    state = deployment.folder / f"unreachable-{name}"
    state.touch()
    try:
        yield
    finally:
        state.unlink()
