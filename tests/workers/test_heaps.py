"""The heaps of the C library in a web process."""

import os
import platform
import subprocess
import sys

import pytest

from tests.faults.stack import ROOT

THREADS = """
import ctypes, threading
import config.gunicorn

libc = ctypes.CDLL(None)
barrier = threading.Barrier(6)

def work():
    kept = [bytearray(50_000) for _ in range(4)]
    barrier.wait()
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(5)]
for thread in threads:
    thread.start()
barrier.wait()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = ctypes.c_int, ctypes.c_void_p
libc.fflush.argtypes = (ctypes.c_void_p,)
output = libc.fdopen(1, b"w")
libc.malloc_info(0, output)
libc.fflush(output)
barrier.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.parametrize(("environment", "heaps"), [({}, 1), ({"MALLOC_ARENA_MAX": "3"}, 3)])
def test_threads_share_a_heap_unless_the_operator_says_otherwise(tmp_path, environment, heaps):
    settings = {"TASKMANAGER_DATA_DIR": str(tmp_path), "TASKMANAGER_ENVIRONMENT": "testing"}
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    ran = subprocess.run(
        [sys.executable, "-c", THREADS], cwd=ROOT, env=usual | settings | environment, capture_output=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.count(b"<heap nr=") == heaps
