"""Run pytest with the clock of the machine put ahead: `python -m tests.later [--at WHEN] [pytest's own words]`.

WHEN is a number of days from now (395 if it is left out: thirteen months) or a moment such as `2028-02-29T23:30`. The
clock is moved for pytest and for all that it starts (servers, workers, shells) by libfaketime, which knows the calls
that ask for the time; only the time of day is moved, waits last as long as they say.
"""

import os
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from pathlib import Path

_MONTHS_13 = "395"
_PLACES = ("usr/lib/*/faketime", "usr/lib*/faketime", "usr/local/lib/faketime")
_NAME = "libfaketimeMT.so.1"
_ABSENT = f"libfaketime is missing: run 'apt-get install faketime', or set LIBFAKETIME to the path of {_NAME}."


def main(words: list[str]) -> None:
    """Become pytest with a moved clock."""
    parser = ArgumentParser(prog="python -m tests.later", description=__doc__)
    parser.add_argument("--at", default=_MONTHS_13, metavar="WHEN")
    given, rest = parser.parse_known_args(words)
    moved, ahead = {"LD_PRELOAD": str(library())}, seconds_ahead(given.at)
    print(f"The tests see the clock at {datetime.now(UTC) + timedelta(seconds=ahead):%Y-%m-%d %H:%M} UTC.", flush=True)
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *rest], os.environ | moved | {"FAKETIME": f"{ahead:+d}"})


def seconds_ahead(when: str) -> int:
    """Seconds from now to WHEN. A relative step, since each process that starts counts from its own start otherwise."""
    if when.lstrip("+-").isdigit():
        return int(when) * 86_400
    moment = datetime.fromisoformat(when)
    return round(((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


def library() -> Path:
    """Where libfaketime is. Ends the program with what to install when it is nowhere."""
    named = os.environ.get("LIBFAKETIME")
    places = [Path(named)] if named else [place for folder in _PLACES for place in Path("/").glob(f"{folder}/{_NAME}")]
    found = [place for place in places if place.is_file()]
    return found[0] if found else sys.exit(_ABSENT)


if __name__ == "__main__":
    main(sys.argv[1:])
