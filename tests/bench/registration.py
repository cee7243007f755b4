"""`python -m tests.bench.registration URL`: whether times tell which addresses have accounts.

Against a running service with `TASKMANAGER_REQUIRE_VERIFIED_EMAIL=true` and limits off. Known and unknown addresses are
registered in turns, in random order; a classifier that knows nothing but the time of an answer is scored by its AUC
(area under the ROC curve): 0.5 tells nothing. Prints the AUC of each round and of all, and what equal work would give.
"""

import argparse
import json
import random
import secrets
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

PASSWORD = "an entirely new password"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Whether times tell which addresses have accounts")
    parser.add_argument("url", help="such as http://127.0.0.1:8000")
    parser.add_argument("--path", default="register", choices=("register", "password-reset", "verify-email/request"))
    parser.add_argument("--pairs", type=int, default=60, help="known and unknown addresses in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--settle", type=float, default=20.0, help="seconds in which the workers make the known accounts"
    )
    options = parser.parse_args()
    known = [f"known-{secrets.token_hex(6)}@example.com" for _ in range(options.pairs)]
    for email in known:
        ask(options.url, "register", email)
    time.sleep(options.settle)
    rounds = [measured(options.url, options.path, known) for _ in range(options.rounds)]
    for number, (slow, fast) in enumerate(rounds, 1):
        medians = f"{statistics.median(slow):.2f} ms known, {statistics.median(fast):.2f} ms unknown"
        print(f"round {number}: AUC {separability(slow, fast):.3f}  medians {medians}")
    everything = [[took for one in rounds for took in one[side]] for side in (0, 1)]
    spread = (1 / (6 * min(map(len, everything)))) ** 0.5  # of the AUC of two equal samples (Hanley and McNeil, 1982)
    print(
        f"all: AUC {separability(*everything):.3f}, equal work gives 0.500 to {0.5 + 2 * spread:.3f} (two deviations)"
    )


def measured(url: str, path: str, known: Sequence[str]) -> tuple[list[float], list[float]]:
    """Milliseconds for known and for unknown addresses, asked in random order."""
    unknown = [f"unknown-{secrets.token_hex(6)}@example.com" for _ in known]
    asked = [(email, 0) for email in known] + [(email, 1) for email in unknown]
    random.shuffle(asked)
    times: tuple[list[float], list[float]] = ([], [])
    for email, side in asked:
        took = ask(url, path, email)
        if took is not None:
            times[side].append(took)
    return times


def ask(url: str, path: str, email: str) -> float | None:
    """Milliseconds of one request; None where the service had no time for it (503)."""
    body = {"email": email} | ({"password": PASSWORD, "name": "A"} if path == "register" else {})
    request = urllib.request.Request(
        f"{url}/api/v1/auth/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 202, answer.status
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return None
    return (time.perf_counter() - began) * 1000


def separability(one: Sequence[float], other: Sequence[float]) -> float:
    """The AUC of the better of the two guesses (longer is known, longer is unknown): 0.5 to 1."""
    wins = sum((a > b) + (a == b) / 2 for a in one for b in other) / (len(one) * len(other))
    return max(wins, 1 - wins)


if __name__ == "__main__":
    main()
