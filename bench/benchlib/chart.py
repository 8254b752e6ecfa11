"""The report as a picture: bars of CPU time a request, one block for each route. Plain SVG that any
browser shows, readable without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 860, 190, 190
BAR, GAP, HEADING, TOP = 20, 6, 44, 64
OURS, PEER, TEXT, FAINT = "#1f6f5c", "#8fa3ad", "#1c2529", "#5d6b72"
FONT = "font-family='system-ui, sans-serif' font-size"


def _text(x: float, y: float, words: str, size: int = 13, fill: str = TEXT, more: str = "") -> str:
    return (
        f"<text x='{x:.0f}' y='{y:.0f}' {FONT}='{size}' fill='{fill}'{more}>{escape(words)}</text>"
    )


def _bars(rows: Sequence[tuple[str, float, str, bool]], top: float) -> list[str]:
    """One bar a row of title, value, label and whether it is ours. The scale is linear from 0; the
    longest bar fills the width."""
    longest = max(value for _, value, _, _ in rows) or 1
    parts = []
    for number, (title, value, label, ours) in enumerate(rows):
        y = top + number * (BAR + GAP)
        width = max(1.0, (WIDTH - LEFT - RIGHT) * value / longest)
        weight = " font-weight='600'" if ours else ""
        parts += [
            _text(LEFT - 10, y + 15, title, more=f" text-anchor='end'{weight}"),
            f"<rect x='{LEFT}' y='{y:.0f}' width='{width:.1f}' height='{BAR}' rx='2' "
            f"fill='{OURS if ours else PEER}'/>",
            _text(LEFT + width + 8, y + 15, label, more=weight),
        ]
    return parts


def _rows(found: Mapping[str, Any], route: str) -> list[tuple[str, float, str, bool]]:
    beside = found["ratios"][route]["to"].get("fastest_peer", {})
    rows = []
    for name, server in found["servers"].items():
        value = server["routes"][route]["cpu_us"]["median"]
        ratio = f"  ({beside[name]:.2f})" if name in beside else ""
        rows.append((server["title"], value, f"{value:.0f} µs{ratio}", not server["is_peer"]))
    return sorted(rows, key=lambda row: row[1])


def svg(found: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    where, options = found["machine"], found["options"]
    body = [
        _text(16, 26, "CPU time of the app tier a request", 18, more=" font-weight='600'"),
        _text(
            16,
            46,
            f"{where['cpu']}, {where['cores']} cores; {options['products']} products, "
            f"{options['clients']} clients; median of {options['rounds']} rounds; in parentheses "
            "the ratio to the fastest peer",
            12,
            FAINT,
        ),
    ]
    y = float(TOP)
    for route in found["ratios"]:
        rows = _rows(found, route)
        body.append(_text(16, y + 26, titles[route], 14, more=" font-weight='600'"))
        body += _bars(rows, y + HEADING - 8)
        y += HEADING + len(rows) * (BAR + GAP)
    height = y + 16
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' role='img' "
        "aria-label='CPU time a request by server and route'>\n"
        f"<rect width='{WIDTH}' height='{height:.0f}' fill='#ffffff'/>\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )
