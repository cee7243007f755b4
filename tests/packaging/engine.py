"""The container engine that is there, by its command line."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

BASE = os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
IMAGE = "taskmanager:package-test"


def find() -> str:
    """Return the command of an engine that answers; skips the test, saying what is missing."""
    for name in filter(shutil.which, os.environ.get("ENGINE", "docker podman").split()):
        if _succeeds(name, "info"):
            return name
    pytest.skip("no container engine answers (docker or podman; ENGINE=… names one): the image was not built or tried")


def require_base(engine: str) -> None:
    """Skip the test unless the image that ours begins with is there or can be had."""
    if not (_succeeds(engine, "image", "inspect", BASE) or _succeeds(engine, "pull", BASE)):
        pytest.skip(f"{BASE} is not there and cannot be pulled (PYTHON_IMAGE=… names another): the image was not built")


def run(engine: str, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a command of the engine."""
    ran = subprocess.run([engine, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 or not check, ran.stdout + ran.stderr
    return ran


def volume(engine: str, name: str) -> Iterator[str]:
    """A new volume, which is removed at the end."""
    run(engine, "volume", "create", name)
    yield name
    run(engine, "volume", "rm", "--force", name, check=False)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
