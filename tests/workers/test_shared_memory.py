"""Web processes share what the process that forks them has made before."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faults.stack import ROOT
from tests.web_server import WebServer


class NewServer(WebServer):
    """A server that is no fork of the tests, so it shares nothing with them."""

    def start(self):
        command = [sys.executable, "-m", *self._command]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self.wait()

    def kilobytes(self):
        """The memory of its web process, by kind."""
        (web,) = psutil.Process(self._process.pid).children()
        lines = Path(f"/proc/{web.pid}/smaps_rollup").read_text().splitlines()[1:]
        return {name: int(size) for name, size, _ in map(str.split, lines)}


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="another kernel")
def test_half_of_a_web_process_is_shared(app, settings, tmp_path):
    server = NewServer(settings, tmp_path / "log", web_processes=1)
    try:
        server.start()
        found = server.kilobytes()
    finally:
        server.stop()
    assert found["Shared_Dirty:"] > 0.4 * found["Anonymous:"], found  # a fifth when only libraries are shared
