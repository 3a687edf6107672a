#!/usr/bin/python
# Copyright (c) 2026, sentinelops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action plugin of this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_report
short_description: Record an event of a run for its report
version_added: 1.0.0
description:
  - Appends one event of a run to a file, and writes the report and its page from all events so far,
    at most every two seconds, and always at the first and at a final event. So a run that is killed
    leaves a report, too.
  - With O(state=rendered), writes report and page from the events that a run has left. A run whose
    process is gone is told as one that was cut off.
  - A report that cannot be written is a warning, unless O(event=ended).
author: sentinelops contributors (@sentinelops)
extends_documentation_fragment:
  - sentinelops.redis.connection.attributes
  - sentinelops.redis.connection.no_group
attributes:
  check_mode:
    support: full
    details: Writes nothing in check mode.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call records another event.
options:
  state:
    description: V(recorded) appends an event. V(rendered) writes the report of the events that are
      there.
    type: str
    choices: [recorded, rendered]
    default: recorded
  file:
    description:
      - The file of the report, as JSON. The page has the same name with C(.html) for C(.json), and
        the events have C(.events.jsonl).
      - Empty means that nothing is recorded.
    type: path
    default: ""
  event:
    description: The event. Needed with O(state=recorded) and a O(file).
    type: str
    choices: [begun, step_done, handover_done, stopped, verified, ended]
  data:
    description: The facts of the event. For V(begun) the plan.
    type: dict
    default: {}
  kept:
    description: Values that the result returns as they are, so that C(register) keeps them, with a
      report or without one.
    type: list
    elements: raw
    default: []
notes:
  - Runs on the controller, and reaches no host.
"""

EXAMPLES = r"""
- name: Record that this step is complete
  sentinelops.redis.redis_report:
    file: /var/log/redis-upgrade/report.json
    event: step_done
    data:
      step: node-1/sentinel

- name: Write the report of a run that was killed
  sentinelops.redis.redis_report:
    state: rendered
    file: /var/log/redis-upgrade/report.json
"""

RETURN = r"""
kept:
  description: The option O(kept).
  returned: always
  type: list
  elements: raw
report:
  description: The path of the report.
  returned: with O(state=rendered)
  type: str
page:
  description: The path of the page.
  returned: with O(state=rendered)
  type: str
outcome:
  description: Whether the run is V(running), V(done), V(stopped) or V(incomplete).
  returned: with O(state=rendered)
  type: str
lines:
  description: The verdict of the report and what to do next, for a person to read.
  returned: with O(state=rendered)
  type: list
  elements: str
"""
