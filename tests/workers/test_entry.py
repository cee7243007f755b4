"""The ways in: `taskmanager`, `python -m taskmanager`, `flask --app taskmanager`, from any folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import taskmanager
from taskmanager.core.configuration.settings import Settings

BIN = Path(sys.executable).parent


def run(place: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKMANAGER_", "PYTHON"))}
    named = {f"TASKMANAGER_{name}": value for name, value in {"DATA_DIR": str(place / "data"), **settings}.items()}
    return subprocess.run(words, cwd=place, env=kept | named, capture_output=True, text=True, timeout=120)


@pytest.fixture
def servers(settings: Settings) -> dict[str, str]:
    """The settings that name the servers of the tests."""
    names = ("mongodb_uri", "queue_url", "cache_url", "mongodb_timeout_ms", "redis_timeout_ms")
    return {name.upper(): str(getattr(settings, name)) for name in names}


@pytest.mark.parametrize("command", [[str(BIN / "taskmanager")], [sys.executable, "-m", "taskmanager"]])
def test_the_command_tells_its_version(tmp_path, command):
    ran = run(tmp_path, *command, "--version")
    assert (ran.returncode, ran.stdout) == (0, f"taskmanager {taskmanager.__version__}\n")
    assert run(tmp_path, *command, "--help").stdout.startswith("Usage: taskmanager [OPTIONS] COMMAND")


def test_flask_finds_the_application_without_arguments(tmp_path, app, servers):
    ran = run(tmp_path, str(BIN / "flask"), "--app", "taskmanager", "routes", **servers)
    assert ran.returncode == 0, ran.stderr
    assert "/api/v1/tasks" in ran.stdout and "v1_tasks.list_tasks" in ran.stdout
    code = "from taskmanager.features.users.models import User; print('users:', User.objects.count())"
    shell = subprocess.run(
        [str(BIN / "flask"), "--app", "taskmanager", "shell"],
        input=code + "\n",
        cwd=tmp_path,
        env=os.environ | {f"TASKMANAGER_{name}": value for name, value in servers.items()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "users: 0" in shell.stdout, shell.stderr


@pytest.mark.parametrize("words", [("routes",), ("shell",), ("--help",)])
def test_without_a_service_flask_says_so_in_one_sentence(tmp_path, words):
    ran = run(tmp_path, str(BIN / "flask"), "--app", "taskmanager", *words)
    assert "No service runs on" in ran.stderr and "make run" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_setting_is_one_sentence_too(tmp_path, servers):
    ran = run(tmp_path, str(BIN / "flask"), "--app", "taskmanager", "routes", **servers, SIGNUP="everyone")
    assert ran.returncode != 0 and "TASKMANAGER_SIGNUP" in ran.stderr and "Traceback" not in ran.stderr
