"""A fork of the server of forks is what a start of Python would have made."""

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests import forked
from tests.faults.stack import eventually
from tests.workers.processes import can_be_first

SLEEP = ["-c", "import time; time.sleep(600)"]  # each test ends it, or shows that it ends
HERE = dict(os.environ)
START = forked._of_start(HERE)  # of `make test-later`, whose clock is set by a library that is loaded first


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return forked.run(["-c", code], environment=environment | START, timeout=60)


@pytest.fixture
def sleeper():
    process = forked.start(SLEEP, environment=HERE, output=2, new_session=True)
    yield process
    process.kill()


@pytest.mark.parametrize(
    ("code", "status"),
    [("print(1)", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1), ("import os; os._exit(4)", 4),
     ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL)],
)  # fmt: skip
def test_it_ends_with_the_status_of_its_code(code, status):
    assert run(code).returncode == status


def test_it_has_the_environment_that_it_was_given_and_no_other():
    assert (
        run("import os; print(sorted(os.environ.items()))", A="b").stdout == f"{sorted({'A': 'b', **START}.items())}\n"
    )


@pytest.mark.skipif(not can_be_first(), reason="only root may make a namespace of processes")
def test_as_the_first_process_it_has_the_id_1_and_ends_with_its_parent(tmp_path):
    with (tmp_path / "said").open("wb") as said:
        code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"  # it is killed below
        process = forked.start(["-c", code], environment=HERE, output=said, as_first=True)
    eventually((tmp_path / "said").read_text)
    assert (tmp_path / "said").read_text() == "1\n"
    (child,) = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    eventually(lambda: not child.is_running())


def test_it_has_no_files_of_others():
    step = "import os; print(sorted(int(name) for name in os.listdir('/proc/self/fd'))[:3], os.getcwd())"
    assert run(step).stdout == f"[0, 1, 2] {forked.ROOT}\n"


def test_output_and_errors_are_told_apart_and_what_is_to_run_at_exit_runs():
    ran = run("import atexit, sys; atexit.register(print, 'end'); print('a'); sys.exit('b')")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "a\nend\n", "b\n")


def test_a_module_is_run_as_the_main_one():
    ran = forked.run(["-m", "workers.cli", "migrate", "--wrong"], environment=HERE, timeout=60)
    assert ran.returncode == 2 and "--wrong" in ran.stderr


def test_the_service_is_imported_and_not_configured():
    step = """import sys, structlog, threading
from taskmanager.core import registry
from taskmanager.core.configuration import settings
print("taskmanager.app" in sys.modules, settings._current, registry.is_loaded(), structlog.is_configured())
print(threading.active_count())"""
    assert run(step).stdout == "True None False False\n1\n"


def test_it_has_a_session_of_its_own_if_it_is_to_have_one(sleeper):
    assert os.getsid(sleeper.pid) == sleeper.pid != os.getsid(0)


def test_signals_reach_it(sleeper):
    sleeper.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.1)
    assert sleeper.poll() is None
    sleeper.send_signal(signal.SIGCONT)
    sleeper.terminate()
    assert sleeper.wait(60) == -signal.SIGTERM == sleeper.poll()


def test_it_ends_with_the_process_that_started_it():
    step = f"""import sys
from tests import forked
from tests.faults.stack import eventually
from tests.workers.processes import can_be_first
import os, time
os.environ["PYTEST_CURRENT_TEST"] = "x"
print(forked.start({SLEEP}, environment=dict(os.environ), output=2).pid, flush=True)
os.kill(os.getpid(), 9)"""
    ran = subprocess.run([sys.executable, "-c", step], cwd=forked.ROOT, capture_output=True, text=True, timeout=60)
    with contextlib.suppress(psutil.NoSuchProcess):
        left = psutil.Process(int(ran.stdout))
        eventually(lambda: left.status() == psutil.STATUS_ZOMBIE, "its end")


def test_what_a_start_alone_reads_is_left_to_a_real_start():
    environment = HERE | {"PYTHONPATH": "/nowhere"}
    assert forked.run(["-c", "import sys; print(sys.path[1])"], environment=environment).stdout == "/nowhere\n"
