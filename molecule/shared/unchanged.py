"""Check that nothing unexpected has changed: unchanged.py FOLDER, with ``before`` and ``after``.

The folders have a file of replies.py for each instance.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.sentinelops.redis.plugins.module_utils._errors import CommandRefused
from whole_state import State, instance_state, unexpected_changes


def state_in(file: Path) -> State:
    replies = {" ".join(words): reply for words, reply in json.loads(file.read_text(encoding="utf-8"))}

    def command(*words: str) -> Any:
        reply = replies[" ".join(words)]
        if isinstance(reply, dict):
            raise CommandRefused(reply["refused"], node=file.stem, command=" ".join(words))
        return reply

    return instance_state(command, file.stem.endswith("-sentinel"))


def states_in(folder: Path) -> dict[str, State]:
    return {file.stem: state_in(file) for file in sorted(folder.glob("*.json"))}


def main() -> None:
    folder = Path(sys.argv[1])
    before, after = states_in(folder / "before"), states_in(folder / "after")
    if not before or (found := unexpected_changes(before, after)):
        sys.exit("\n".join(found) if before else "there is no state before")
    print(f"{len(after)} instances: {sum(len(state.get('config', {})) for state in after.values())} settings are as expected")


if __name__ == "__main__":
    main()
