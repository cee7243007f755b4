"""Run pytest with the clock of the machine put ahead: `python -m tests.later [--at WHEN] [pytest's own words]`.

WHEN is a number of days from now (395 if it is left out: thirteen months) or a moment such as `2028-02-29T23:30`. The
clock is moved for pytest and for all that it starts (servers, workers, shells) by libfaketime (`tests/faketime.py`),
which knows the calls that ask for the time; only the time of day is moved: monotonic clocks and waits stay. The kernel
dates new files by its own clock: a test that reads their age sets it.
"""

import os
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta

from tests import faketime

_MONTHS_13 = "395"


def main(words: list[str]) -> None:
    """Become pytest with a moved clock."""
    parser = ArgumentParser(prog="python -m tests.later", description=__doc__)
    parser.add_argument("--at", default=_MONTHS_13, metavar="WHEN")
    given, rest = parser.parse_known_args(words)
    ahead = seconds_ahead(given.at)
    print(f"The tests see the clock at {datetime.now(UTC) + timedelta(seconds=ahead):%Y-%m-%d %H:%M} UTC.", flush=True)
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *rest], os.environ | faketime.ahead(ahead))


def seconds_ahead(when: str) -> int:
    """Seconds from now to WHEN: processes that start later see a later time, as they would by a moved clock."""
    if when.lstrip("+-").isdigit():
        return int(when) * 86_400
    moment = datetime.fromisoformat(when)
    return round(((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


if __name__ == "__main__":
    main(sys.argv[1:])
