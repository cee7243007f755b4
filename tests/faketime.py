"""Processes that see another time than this machine's clock: libfaketime, from the package of that name."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
# The second, left to be detected, lets MongoDB wait too long: it does not start.
_MONOTONIC_STAYS = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}

IS_SUPPORTED = sys.platform == "linux"


def ahead(seconds: int) -> dict[str, str]:
    """Return the variables of a process whose clock is so far ahead of that of this process.

    Only the time of day is moved: monotonic clocks and waits stay.
    """
    total = int(os.environ.get("FAKETIME", "0")) + seconds
    return _MONOTONIC_STAYS | {"LD_PRELOAD": str(_library()), "FAKETIME": f"{total:+d}"}


def _library() -> Path:
    """Return where the library is; of the package nothing else is used, so it is not imported."""
    package = find_spec("libfaketime")
    if package is None or package.origin is None:
        sys.exit("libfaketime is missing: install requirements/test.txt.")
    return Path(package.origin).parent / _LIBRARY
