"""Positions in a manual order: rows have a `position`, a key of `core/fractional.py`."""

from taskmanager.core.storage.querysets import BaseQuerySet


def around(others: BaseQuerySet, position: str, *, before: bool) -> tuple[str | None, str | None]:
    """Return the two neighbours of a row that is put directly before, or after, the row at `position`.

    `others` are all rows of the order except the one that moves. None means an end of the order.
    """
    if before:
        lower = others.filter(position__lt=position).order_by("-position").first()
        return lower and lower.position, position
    upper = others.filter(position__gt=position).order_by("position").first()
    return position, upper and upper.position
