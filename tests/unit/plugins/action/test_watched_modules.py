"""Each module that may wait for long has an action that shows what it waits for.

A redirect to one action would do, but it is also the name by which Ansible knows the task: for
module_defaults, and in the callback.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MODULES = Path(__file__).parents[4] / "plugins" / "modules"
# In a process of its own, since a plugin loader that was begun once changes all later tests.
ACTIONS = """
import json, sys
from ansible.plugins.loader import action_loader, init_plugin_loader
init_plugin_loader()
found = {name: action_loader.get("sentinelops.redis." + name, class_only=True) for name in sys.argv[1:]}
print(json.dumps({name: [base.__name__ for base in one.__mro__] for name, one in found.items() if one}))
"""


def test_a_module_with_a_progress_file_is_watched_and_no_other() -> None:
    modules = {path.stem: path.read_text(encoding="utf-8") for path in MODULES.glob("*.py")}
    done = subprocess.run([sys.executable, "-c", ACTIONS, *modules], capture_output=True, text=True, check=True)
    watched = {name for name, bases in json.loads(done.stdout).items() if "WatchedModule" in bases}
    assert watched == {name for name, text in modules.items() if "redis.connection.progress" in text}, "see plugins/action"
    assert {"redis_instance", "redis_stage", "redis_sentinel_failover"} <= watched
