"""The units of systemd start commands that exist, end in time, and are hardened. No systemd runs here to try them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from workers.cli import main

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
MAX_EXPOSURE = 2.0  # of ten, as `systemd-analyze security` counts
# How long a process may take to end (docs/operations.md), which systemd must wait for.
STOP_SECONDS = {"web": 20, "relay": 10, "stream": 10, "scheduler": 10, "worker": 80}


def options(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, is_option, value = line.partition("=")
        if is_option and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_as_a_user_without_rights(unit):
    found = options(unit)
    assert found["User"] == found["Group"] == ["taskmanager"]
    assert found["CapabilityBoundingSet"] == [""] and found["NoNewPrivileges"] == ["yes"]
    assert found["ProtectSystem"] == ["strict"] and found["ProtectHome"] == ["yes"]
    assert "PASSWORD" not in unit.read_text() and "SECRET" not in unit.read_text()


def test_each_process_has_a_unit_whose_command_exists_and_whose_end_is_waited_for():
    commands = {}
    for unit in UNITS:
        (line,) = options(unit)["ExecStart"]
        if words := re.fullmatch(r"/opt/taskmanager/[\w%]+/bin/taskmanager (\w+)", line):
            commands[words[1]] = unit
    assert commands.keys() == STOP_SECONDS.keys() and commands.keys() <= main.commands.keys()
    for role, unit in commands.items():
        found = options(unit)
        assert int(found["TimeoutStopSec"][0]) > STOP_SECONDS[role] and found["Restart"] == ["always"]


def test_a_timer_starts_the_backup():
    timer = FOLDER / "taskmanager-backup.timer"
    assert timer.with_suffix(".service").exists() and options(timer)["Persistent"] == ["yes"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_little_exposed(unit):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze is installed (apt install systemd): the exposure of the units was not measured")
    command = ["systemd-analyze", "security", "--offline=true", f"./{unit.name}"]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", ran.stdout)
    assert exposure and float(exposure[1]) <= MAX_EXPOSURE, ran.stdout + ran.stderr
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"./{unit.name}"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in verified.stderr.splitlines() if unit.name in line and "is not executable" not in line]
    assert lines == []
