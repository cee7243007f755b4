"""Plots of the last hour as SVG, without scripts and styles: lines over the minutes."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from taskmanager.api.history import MINUTES, Figures

_WIDTH, _HEIGHT = 300, 80


@dataclass(frozen=True)
class Plot:
    """Lines of one unit: {label of a line: name of the figure}."""

    title: str
    unit: str
    lines: dict[str, str]


PLOTS = (
    Plot("Requests", "a minute", {"all": "requests", "errors (5xx)": "errors"}),
    Plot("99 of 100 requests take less than", "ms", {"milliseconds": "p99_ms"}),
    Plot("Jobs", "a minute", {"done": "jobs_done", "failed": "jobs_failed"}),
    Plot("Attempts to send", "a minute", {"sent": "attempts_sent", "failed": "attempts_failed"}),
    Plot("Waiting", "at a time", {"jobs": "waiting", "deliveries": "pending"}),
    Plot("Oldest event to dispatch", "s", {"seconds": "events_oldest"}),
)
_DASHES = ("none", "4 3")


def drawn(plot: Plot, hour: Sequence[Figures]) -> dict[str, object]:
    """Return what the page shows of a plot: its largest and last values in words, and the SVG."""
    series = {label: [row.get(name) for row in hour] for label, name in plot.lines.items()}
    most = max((value for values in series.values() for value in values if value is not None), default=0.0)
    legend = [
        {"label": label, "last": _number(_last(values)), "dash": dash}
        for (label, values), dash in zip(series.items(), _DASHES, strict=False)
    ]
    return {
        "title": plot.title,
        "unit": plot.unit,
        "most": _number(most),
        "legend": legend,
        "svg": _svg(plot.title, series, most),
    }


def _svg(title: str, series: dict[str, list[float | None]], most: float) -> Markup:
    lines = Markup("").join(
        Markup('<path d="{}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="{}"/>').format(
            _path(values, most or 1.0), dash
        )
        for values, dash in zip(series.values(), _DASHES, strict=False)
    )
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" width="{}" height="{}">'
        '<path d="M0 {}H{}" stroke="currentColor" stroke-opacity="0.3"/>{}</svg>'
    ).format(_WIDTH, _HEIGHT + 2, title, _WIDTH, _HEIGHT + 2, _HEIGHT + 1, _WIDTH, lines)


def _path(values: Sequence[float | None], most: float) -> str:
    """Return a path that has gaps where nothing was counted."""
    words, pen = [], "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        words.append(f"{pen}{at * _WIDTH / (MINUTES - 1):.1f} {1 + _HEIGHT * (1 - value / most):.1f}")
        pen = "L"
    return "".join(words)


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f}"
