"""Run pytest twice, in two orders, beside four processes that do nothing but work: `python -m tests.busy [words]`.

What fails here and not on a quiet machine waits too little, or asserts how long something takes.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from taskmanager.core.child import wrap

_LOOPS, _SEEDS = 4, (1, 2)
_LOOP = [sys.executable, "-S", "-c", "while True: pass"]


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Keep so many processes busy; they end with this one, whatever ends it."""
    loops = [subprocess.Popen(wrap(_LOOP)) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main(words: list[str]) -> int:
    """Answer the exit status: 0 when all passed in both orders."""
    with busy(_LOOPS):
        command = [sys.executable, "-m", "pytest", *words]
        return max(subprocess.run([*command, f"--randomly-seed={seed}"]).returncode for seed in _SEEDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
