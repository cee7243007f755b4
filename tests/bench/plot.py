"""Plots as SVG, written by hand: bars with their spread, and lines over time."""

from collections.abc import Mapping, Sequence
from html import escape

_COLORS = ("#c0392b", "#7f8c8d", "#2980b9", "#27ae60", "#8e44ad", "#d68910")
_WIDTH, _LEFT, _ROW, _GAP = 960, 240, 13, 12
Spread = tuple[float, float, float]  # median, least, most


def bars(title: str, values: Mapping[str, Mapping[str, Spread]], unit: str, most: float = 12) -> str:
    """Return horizontal bars: {group: {series: spread}}; bars beyond `most` are cut, and their number is written."""
    series = list(dict.fromkeys(name for group in values.values() for name in group))
    colors = dict(zip(series, _COLORS * 3, strict=False))
    scale = (_WIDTH - _LEFT - 80) / most
    parts, y = [], 60
    for group, found in values.items():
        parts.append(_text(_LEFT - 8, y + _ROW * len(found) / 2 + 4, group, "end"))
        for name, (middle, least, top) in found.items():
            width = min(middle, most) * scale
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_ROW - 3}" fill="{colors[name]}"/>')
            begin, end = (_LEFT + min(value, most) * scale for value in (least, top))
            line = f'y1="{y + 5}" y2="{y + 5}" stroke="#222"'
            parts.append(f'<line x1="{begin:.1f}" x2="{end:.1f}" {line}/>')
            parts.append(_text(max(end, _LEFT + width) + 6, y + 9, f"{middle:.2f}"))
            y += _ROW
        y += _GAP
    for number, name in enumerate(series):
        x = _LEFT + number * 100
        parts.append(f'<rect x="{x}" y="32" width="10" height="10" fill="{colors[name]}"/>')
        parts.append(_text(x + 14, 41, name))
    one = _LEFT + scale
    parts.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="50" y2="{y}" stroke="#999" stroke-dasharray="3 3"/>')
    return _document(f"{title} ({unit})", parts, y + 10)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], unit: str) -> str:
    """Return lines over time: {name: [(x, y)]}, y from zero."""
    points = [point for found in series.values() for point in found]
    right, top = max(x for x, _ in points) or 1, max(y for _, y in points) * 1.1 or 1
    left, height = 70, 320

    def at(x: float, y: float) -> str:
        return f"{left + x / right * (_WIDTH - left - 20):.1f},{60 + height * (1 - y / top):.1f}"

    parts = []
    for step in range(6):
        value = top * step / 5
        begin, end = at(0, value), at(right, value)
        (x1, y1), (x2, y2) = begin.split(","), end.split(",")
        parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#ddd"/>')
        parts.append(_text(left - 8, float(y1) + 4, f"{value:.0f}", "end"))
    for number, (name, found) in enumerate(series.items()):
        color = _COLORS[number % len(_COLORS)]
        path = " ".join(at(x, y) for x, y in found)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        parts.append(_text(left + number * 160, 46, name, color=color))
    parts.append(_text(_WIDTH - 20, 60 + height + 16, f"{right:,.0f}", "end"))
    return _document(f"{title} ({unit})", parts, height + 90)


def _text(x: float, y: float, text: str, anchor: str = "start", color: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _document(title: str, parts: Sequence[str], height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" font-family="sans-serif"'
    body = "\n".join([_text(10, 20, title), *parts])
    return f'{head} font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
