"""The table of what clients saw, as Markdown."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from measurement import Group, Seen, Sighting

HEAD = (
    "| client | gap, first Sentinel leads | errors | gap, another leads | errors | acknowledged | lost / doubled / torn | missed "
    "| not back after 10 s |\n|---|---|---|---|---|---|---|---|---|"
)

NOTE = (
    "Gaps are the longest intervals between two answers, in ms, as median / maximum; errors and missed messages are counted per handover."
)


def gaps(sightings: Sequence[Sighting]) -> str:
    """Return the median and the maximum, over the handovers after which the client had answers."""
    values = sorted(sighting.gap_ms for sighting in sightings if not sighting.silent_s)
    return f"{statistics.median(values):.0f} / {values[-1]:.0f}" if values else "never ends" if sightings else "-"


def errors(sightings: Sequence[Sighting]) -> str:
    """Return the errors of each kind per handover."""
    total: Counter[str] = sum((sighting.errors for sighting in sightings), Counter())
    return ", ".join(f"{name} {count / len(sightings):.1f}".removesuffix(".0") for name, count in total.most_common()) or "-"


def not_back(seen: Seen) -> str:
    """Return after how many handovers the client was not back, by leader, and where it was."""
    late = [sighting for sighting in seen.sightings if not sighting.is_back]
    if not late:
        return "0"
    parts = [(seen.where(True), "leads"), (seen.where(False), "another")]
    counts = ", ".join(f"{sum(not one.is_back for one in group)} of {len(group)} ({name})" for group, name in parts if group)
    places = sorted({one.misplaced for one in late if one.misplaced} | ({"no answer"} if any(one.silent_s for one in late) else set()))
    return f"{counts}: {', '.join(places)}"


def missed(seen: Seen) -> str:
    """Return how many messages a subscriber missed per handover."""
    return f"{seen.missed / len(seen.sightings):.1f}" if seen.kind.workload == "pubsub" and seen.sightings else "-"


def row(seen: Seen) -> str:
    judgements = seen.judgements
    name = seen.kind.name.replace(seen.kind.library.name, f"{seen.kind.library.label} {seen.version}", 1).replace("/", ", ")
    counts = "-"
    if judgements:
        doubled, torn = sum(one.doubled for one in judgements), sum(one.torn for one in judgements)
        counts = f"{sum(one.lost + one.unexpected for one in judgements)} / {doubled} / {torn}"
    cells = [name]
    for leads in (True, False):
        cells += [gaps(seen.where(leads)), errors(seen.where(leads))]
    cells += [f"{sum(one.acknowledged for one in judgements):,}" if judgements else "-", counts]
    cells += [missed(seen), not_back(seen)]
    return f"| {' | '.join(cells)} |"


def lines(version: str, groups: Sequence[Group]) -> list[str]:
    pauses = sorted(pause for group in groups for pause in group.pauses_ms)
    leaders: Counter[str] = sum((group.leaders for group in groups), Counter())
    handovers = f"{version}: {len(pauses)} handovers"
    if pauses:
        led = ", ".join(f"{count} by {leader}" for leader, count in sorted(leaders.items()))
        handovers += f" (led: {led}), writes paused for {statistics.median(pauses):.0f} / {pauses[-1]:.0f} ms (median / maximum)"
    return [f"{handovers}. {NOTE}", "", *HEAD.splitlines(), *(row(seen) for group in groups for seen in group.seen)]
