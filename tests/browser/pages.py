"""Write pages of reports, one for each way in which a run can end, for check.mjs.

usage: pages.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.page import overview_page, page_of
from ansible_collections.sentinelops.redis.plugins.plugin_utils._report.run_report import make_run_report
from ansible_collections.sentinelops.redis.tests.unit.support.run_events import Events, audit
from ansible_collections.sentinelops.redis.tests.unit.support.survey import two_shards

LONG = "a-host-with-a-name-" + "x" * 200
HOSTILE = "</title></style></svg><script>throw new Error('it ran')</script><img src=x onerror=\"throw new Error('it ran')\">"


def pages() -> dict[str, str]:
    """Return the pages by their names."""
    runs = {
        "begun": (Events(), False),
        "running": (Events().steps(4), False),
        "killed": (Events().steps(6), True),
        "stopped": (Events().steps(3).stopped("redis-2 (redis) could not be upgraded.", LONG, failed_step="redis-2/redis"), False),
        "problems": (Events().all_steps().verified(problems=["redis-1 (redis): it does not answer", LONG]), False),
        "done": (Events().all_steps().verified().ended(), False),
        "audited": (Events().all_steps().verified(audits={"mymaster": audit(seconds=60, gap_at=40), LONG: {"error": LONG}}).ended(), False),
        "two-shards": (Events(two_shards()).all_steps().verified().ended(), False),
        "hostile": (hostile(), False),
    }
    found = {name: page_of(make_run_report(run.all, dead)) for name, (run, dead) in runs.items()}
    rows = [{"name": LONG, "state": "failed", "seconds": 3.0, "log": "a.log", "page": "a.report.html"}]
    return {**found, "overview": overview_page("1 deployment: 0 done, 1 failed, 0 not begun", rows, [HOSTILE])}


def hostile() -> Events:
    run = Events()
    for one in [*run.facts["instances"], *run.facts["steps"]]:
        one["host"] += LONG + HOSTILE
    run.facts.update({"plan": [HOSTILE, LONG], "warnings": [HOSTILE, LONG], "version": HOSTILE})
    run.all[0]["data"] = run.facts
    return run.steps(3).stopped(HOSTILE)


def main() -> None:
    folder = Path(sys.argv[1])
    for name, text in pages().items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
