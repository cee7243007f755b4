"""The document is true: schemathesis, with its default checks, finds nothing. `make schemathesis` is the full size."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import sign_in
from tests.factories import UserFactory
from tests.web_server import WebServer

pytestmark = pytest.mark.timeout(170)


@pytest.mark.parametrize("somebody", [True, False], ids=["logged in", "anonymous"])
def test_requests_made_from_the_document_are_answered_as_it_says(app, server: WebServer, root: Path, somebody: bool):
    caller = sign_in(app, UserFactory(email="admin@example.com"))
    token = ["-H", f"Authorization: {caller.environ_base['HTTP_AUTHORIZATION']}"] if somebody else []
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/api/v1/openapi.json", *token]
    # logging out would end the session that all others are tried with
    phases = "examples,coverage,fuzzing" if somebody else "examples,fuzzing"  # the first thing that is told is 401
    size = ["--exclude-operation-id", "logout", "--max-examples", "2", "--phases", phases]
    ran = subprocess.run([*command, *size, "--no-color"], cwd=root, capture_output=True, text=True, timeout=160)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
