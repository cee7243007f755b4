"""The shell lines of the README do what it says, and its links lead somewhere."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import requests

from tests.faults.stack import PATIENCE, Stack, eventually

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    try:
        stack.start_servers()
        stack.migrate()
        stack.start("web", "relay", "worker")
        eventually(lambda: _ready(stack), "readiness")
        yield stack
    finally:
        stack.stop()


def test_the_steps_by_hand_end_with_a_mail(service: Stack, root: Path):
    """Bash runs the block as it stands, and stops at the first line that fails."""
    (block,) = re.findall(r"```bash\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    place = {"TASKMANAGER_PORT": str(service.settings.port), "TASKMANAGER_HOST": "127.0.0.1"}
    environment = {**os.environ, **place, "MAILS": str(service.mails)}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    eventually(lambda: _subjects(service, "Grace <grace") & {"[P"}, "the mail about the task")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/operations.md"])
def test_links_lead_somewhere(root: Path, document: str):
    place = root / document
    targets = re.findall(r"\]\(([^)#:]+)\)", place.read_text())
    assert [target for target in targets if not (place.parent / target).exists()] == []


def test_the_map_of_the_tree_is_true(root: Path):
    paths = re.findall(r"^\| `([\w./]+)`", (root / "README.md").read_text(), re.MULTILINE)
    assert len(paths) > 5
    assert [path for path in paths if not (root / path).exists()] == []


def _subjects(stack: Stack, start: str) -> set[str]:
    """The first two characters of the subjects of mails to recipients that begin so."""
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in stack.mails.glob("[0-9]*.eml")]
    return {str(mail["Subject"])[:2] for mail in mails if str(mail["To"]).startswith(start)}


def _ready(stack: Stack) -> bool:
    try:
        return requests.get(f"{stack.url}/health/ready", timeout=5).ok
    except requests.RequestException:
        time.sleep(0.1)
        return False
