"""The file of the log: whole lines of several processes, rotation by size and day, retention by number and days."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.log_output import RotatedFile
from tests import forked
from tests.config.test_logging import CODE, lines_of

WRITER = """
import sys, pathlib
from config.log_output import RotatedFile
path, name, lines = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
file = RotatedFile(path, 10_000, 1000, 14)
for number in range(lines):
    file.write(f"{name} {number} {'x' * 80}\\n".encode())
"""


def all_lines(folder: Path) -> list[str]:
    return [line for path in folder.glob("a.log*") for line in path.read_text().splitlines() if path.suffix != ".lock"]


def test_lines_of_several_processes_are_whole_and_none_is_lost(tmp_path):
    names, number = ("a", "b", "c", "d"), 400
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a.log")]
    running = [subprocess.Popen([*command, name, str(number)], cwd=forked.ROOT, umask=0o077) for name in names]
    assert [process.wait(120) for process in running] == [0, 0, 0, 0]
    expected = {f"{name} {n} {'x' * 80}" for name in names for n in range(number)}
    found = all_lines(tmp_path)
    assert len(found) == len(expected) and set(found) == expected
    sizes = [path.stat().st_size for path in tmp_path.glob("a.log.2*")]
    assert len(sizes) >= 10 and max(sizes) < 20_000
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("a.log.2*")} == {0o640}


def test_so_many_files_are_kept(tmp_path):
    file = RotatedFile(tmp_path / "a.log", 10, 3, 14)
    for number in range(8):
        file.write(f"line number {number}\n".encode())
    assert sorted(all_lines(tmp_path)) == [f"line number {number}" for number in range(4, 8)]


def test_each_day_has_a_file_and_old_days_go(tmp_path):
    path, now = tmp_path / "a.log", datetime.now(UTC)
    old, other = ((now - timedelta(days=days)).strftime("a.log.%Y%m%dT%H%M%S.%fZ") for days in (15, 13))
    for name in (old, other, "a.log.mine"):
        (tmp_path / name).write_text("kept\n")
    file = RotatedFile(path, 10_000, 100, 14)
    file.write(b"yesterday\n")
    yesterday = (now - timedelta(days=1)).timestamp()
    os.utime(path, (yesterday, yesterday))
    file.write(b"today\n")
    assert path.read_text() == "today\n"
    names = {found.name for found in tmp_path.iterdir()}
    assert {other, "a.log.mine"} <= names and old not in names
    assert "yesterday" in all_lines(tmp_path)


def test_a_file_that_was_moved_by_another_program_is_made_again(tmp_path):
    path = tmp_path / "a.log"
    file = RotatedFile(path, 10_000, 3, 14)
    file.write(b"one\n")
    path.rename(tmp_path / "elsewhere")
    file.write(b"two\n")
    assert path.read_text() == "two\n"


def said(step: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"TASKMANAGER_DATA_DIR": str(tmp_path), "TASKMANAGER_LOG_FILE": str(tmp_path / "a.log")}
    return forked.run(["-c", CODE.format(step=step)], environment=environment, timeout=120)


def test_lines_go_to_the_file_or_to_standard_output_when_it_takes_none(tmp_path):
    """Of our own loggers and of those of libraries. A limit on the size of files stands for a full disk."""
    step = "structlog.get_logger('a').info('mine'); logging.getLogger('b').warning('theirs')"
    assert said(step, tmp_path).stdout == ""
    kept = (tmp_path / "a.log").read_text()
    assert "mine" in kept and "theirs" in kept

    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({len(kept)}, {len(kept)}))\n{step}"
    shown = said(full, tmp_path).stdout
    assert "mine" in shown and "theirs" in shown


def test_a_line_that_is_torn_by_a_full_disk_goes_to_standard_output_and_spoils_no_other(tmp_path):
    step = """import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = structlog.get_logger('a')
log.info('one')
limit = settings.current().log_file.stat().st_size + 50
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
log.info('two'); log.info('three')
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.info('four'); log.info('five')"""
    shown = said(step, tmp_path).stdout
    assert [json.loads(line)["message"] for line in shown.splitlines()] == ["two", "three"]
    one, torn, *others = (tmp_path / "a.log").read_text().splitlines()
    assert len(torn) == 50 and [json.loads(line)["message"] for line in (one, *others)] == ["one", "four", "five"]


def test_a_fork_while_another_thread_writes_can_log(tmp_path):
    step = """import os, threading, time
from config import log_output
log_output._standard.acquire()  # as a thread that writes now
if os.fork() == 0:
    structlog.get_logger('a').info('child')
    os._exit(0)
os.wait()"""
    assert [line["message"] for line in lines_of(step, tmp_path)] == ["child"]


@pytest.mark.parametrize("place", ["", "nowhere/a.log", "link", "pipe"])
def test_what_is_no_file_to_rotate_is_refused(place, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe")
    step = "import sys"
    environment = {"TASKMANAGER_DATA_DIR": str(tmp_path), "TASKMANAGER_LOG_FILE": str(tmp_path / place)}
    code = CODE.format(step=step)
    ran = forked.run(["-c", code], environment=environment, timeout=120)
    assert "TASKMANAGER_LOG_FILE" in ran.stderr
