"""Counting computations of password hashes: a test of time that does not depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bcrypt
import pytest


@contextmanager
def counted_hashes() -> Iterator[list[str]]:
    """`with counted_hashes() as done:` fills `done` with the name of each bcrypt function that runs, in their order."""
    done: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("hashpw", "checkpw"):
            patch.setattr(bcrypt, name, _counting(getattr(bcrypt, name), name, done))
        yield done


def _counting(function: Any, name: str, done: list[str]) -> Any:
    def run(*args: Any) -> Any:
        done.append(name)
        return function(*args)

    return run
