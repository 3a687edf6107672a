"""A plot of measured seconds as SVG, with the line through zero that fits each series best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 60, 50, 20, 20
COLOURS = ("#1f6feb", "#d9622b", "#2da44e")
STYLE = "svg { background: #fff; font: 13px sans-serif } text { fill: #24292f } .axis { stroke: #57606a; fill: none }"


def slope_of(points: Points) -> float:
    """Return seconds for each unit: the least squares of a line through zero."""
    return sum(x * y for x, y in points) / sum(x * x for x, _y in points)


def deviation_of(points: Points) -> float:
    """Return the largest distance of a point from that line, as a part of the line's value."""
    slope = slope_of(points)
    return max(abs(y / (slope * x) - 1) for x, y in points)


def growth_plot(unit: str, series: Mapping[str, Points]) -> str:
    """Return the SVG; ``series``: seconds by units, by name."""
    widest = max(x for points in series.values() for x, _y in points)
    highest = max(y for points in series.values() for _x, y in points) * 1.08

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / widest, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / highest

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">', f"<style>{STYLE}</style>"]
    left, bottom = place(0, 0)
    parts.append(f'<path class="axis" d="M{left:.0f} {TOP}V{bottom:.0f}H{WIDTH - RIGHT}"/>')
    for x in sorted({x for points in series.values() for x, _y in points}):
        parts.append(f'<text x="{place(x, 0)[0]:.0f}" y="{bottom + 18:.0f}" text-anchor="middle">{x:g}</text>')
    for tick in range(1, 5):
        y = highest * tick / 4.32
        parts.append(f'<text x="{left - 6:.0f}" y="{place(0, y)[1] + 4:.0f}" text-anchor="end">{y:.0f} s</text>')
    parts.append(f'<text x="{(left + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{unit}</text>')
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number]
        end = place(widest, slope_of(points) * widest)
        parts.append(f'<path d="M{left:.1f} {bottom:.1f}L{end[0]:.1f} {end[1]:.1f}" stroke="{colour}" stroke-dasharray="5 4"/>')
        parts += [f'<circle cx="{place(x, y)[0]:.1f}" cy="{place(x, y)[1]:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        told = f"{name}: {slope_of(points):.2f} s for each of the {unit}, points within {deviation_of(points):.0%} of the line"
        parts.append(f'<text x="{left + 14:.0f}" y="{TOP + 16 + 20 * number}" style="fill: {colour}">{told}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
