"""Places in an order by hand: rows have a `position`, a key of `core/fractional.py`."""

from typing import Any


def around(others: Any, position: str, *, before: bool) -> tuple[str | None, str | None]:
    """Return the two positions between which a row comes to stand directly before, or after, the one at `position`.

    `others` are the rows of the order but the one that is placed. None stands for an end of it.
    """
    if before:
        lower = others.filter(position__lt=position).order_by("-position").first()
        return lower and lower.position, position
    upper = others.filter(position__gt=position).order_by("position").first()
    return position, upper and upper.position
