"""Print the page of a real run's report, as an example: without the names of user and machine.

usage: example.py REPORT.json > docs/example-report.html
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.page import page_of


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    report = json.loads(text)
    report["run"] |= {"user": "alice", "controller": "bastion"}
    print(page_of(report), end="")


if __name__ == "__main__":
    main()
