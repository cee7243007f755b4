"""The document is true: schemathesis, with its default checks, finds nothing. `make schemathesis` is the full size.

Here the requests are meant to be right, and the same each time: those of its examples, and a part of those of its
coverage phase: the first two of each operation, and a twelfth of the others. All of them, and random ones, are those of
the full size; wrong ones are those of `tests/web/test_hostile.py`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from tests.api.schemathesis_hooks import ANSWERS, PART, TOKEN
from tests.web_server import WebServer

_LONGEST_SECONDS = 840  # within the life of an access token, and far beyond what it takes on a machine with other work
pytestmark = pytest.mark.timeout(_LONGEST_SECONDS + 60)
# They answer 401 to a wrong secret of the body, whoever sends it.
ASK_FOR_SECRETS = {f"/api/v1{path}" for path in ("/auth/login", "/auth/totp", "/auth/refresh", "/share-links/open")}


@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "anonymous"])
def test_requests_made_from_the_document_are_answered_as_it_says(
    app, server: WebServer, root: Path, logged_in: bool, tmp_path, capsys
):
    caller = sign_in(app, UserFactory(email="admin@example.com"))
    token = {TOKEN: caller.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")} if logged_in else {}
    answers = tmp_path / "answers"
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/api/v1/openapi.json"]
    phases = "examples,coverage" if logged_in else "examples"  # without a login the first thing that is told is 401
    size = ["--mode", "positive", "--seed", "1", "--phases", phases]
    ran = subprocess.run(
        [*command, *size, "--no-color"],
        cwd=root,
        env=os.environ | token | {ANSWERS: str(answers), PART: "12"},
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout[:8000] + ran.stdout[-3000:] + ran.stderr[-2000:]
    _count(answers, logged_in, capsys)


def _count(answers: Path, logged_in: bool, capsys) -> None:
    """Tell how many requests were refused as anonymous; with the token of a session that lives, none is."""
    lines = [line.split() for line in answers.read_text().splitlines()]
    ours = [line for line in lines if line[3] == "ours"]
    unknown = [line for line in ours if line[2] == "401" and line[1] not in ASK_FOR_SECRETS]
    with capsys.disabled():
        print(f"\n{len(lines)} requests, {len(ours)} logged in, {len(unknown)} of these 401")
    assert unknown == []
    assert bool(ours) == logged_in
    assert not logged_in or len(ours) > len(lines) / 2
