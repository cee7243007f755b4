"""A process under the guard ends with its parent, however that one dies."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from taskmanager.core.child import wrap
from taskmanager.embedded import processes
from tests.faults.stack import eventually

PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_ends_with_a_parent_killed_with_9():
    command = [sys.executable, "-c", PARENT, *wrap(SLEEPER, on_orphaned=signal.SIGKILL)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        eventually(lambda: psutil.Process(child).cmdline() == SLEEPER, "that the guard is the command")
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while processes.is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not processes.is_running(child)


def test_is_the_command_itself():
    answer = subprocess.run(wrap([sys.executable, "-c", "print('here')"]), capture_output=True, text=True, check=True)
    assert answer.stdout == "here\n"


def test_a_stubborn_process_is_ended_too():
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        processes.end(process.pid, patience=0.2)
        assert process.wait(60) == -signal.SIGKILL


def test_a_recorded_number_that_belongs_to_another_user_is_no_orphan(tmp_path):
    note = tmp_path / "server.pid"
    note.write_text(f"{os.getpid()}\n")
    assert processes.recorded(note, folder=tmp_path / "elsewhere") is None
