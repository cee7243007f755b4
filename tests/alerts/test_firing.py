"""A real Prometheus sees alerts fire when the real thing is broken, and end: `make alerts-test`."""

import os
import re
import shutil
import signal
import subprocess

import pytest
import requests
import yaml

from taskmanager.embedded import ports
from tests.faults.stack import eventually
from tests.web_server import WebServer
from tests.workers.processes import Process

TOKEN = "the token of Prometheus, for tests"
EXECUTABLE = shutil.which("prometheus")

pytestmark = [
    pytest.mark.skipif(not os.environ.get("ALERTS_TEST"), reason="`make alerts-test` runs it: it takes a minute"),
    pytest.mark.skipif(not EXECUTABLE, reason="prometheus is not installed (Debian: prometheus)"),
]


@pytest.fixture
def server(app, settings, tmp_path):
    made = WebServer(settings, tmp_path / "log", metrics_token=TOKEN, web_processes=2)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def prometheus(root, tmp_path, server):
    """Return a function that returns the names of the alerts that fire; intervals are seconds instead of minutes."""
    rules = (root / "deploy/prometheus/rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(re.sub(r"for: \w+", "for: 1s", rules))
    (tmp_path / "metrics-token").write_text(TOKEN)
    config = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    del config["alerting"]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{server.port}"]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = ports.choose()
    words = ["--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=data"]
    with (tmp_path / "prometheus.log").open("w") as log:
        running = subprocess.Popen([EXECUTABLE, *words], cwd=tmp_path, stdout=log, stderr=log)

    def firing():
        try:
            found = requests.get(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5).json()["data"]["alerts"]
        except requests.RequestException:
            return set()
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    yield firing
    running.send_signal(signal.SIGTERM)
    running.wait()


def test_alerts_fire_when_their_thing_is_broken_and_end(prometheus, server, settings):
    missing = {"TaskManagerNoWorker", "TaskManagerLeaseFree"}
    eventually(lambda: missing <= prometheus(), "the alerts for missing processes", 60)
    processes = [Process(role, settings) for role in ("worker", "relay", "scheduler")]
    try:
        eventually(lambda: not missing & prometheus(), "the end of these alerts", 90)
        processes[0].kill()
        eventually(lambda: "TaskManagerNoWorker" in prometheus(), "the alert for the killed worker", 120)
    finally:
        for process in processes:
            process.kill()
    server.stop()
    eventually(lambda: "TaskManagerDown" in prometheus(), "the alert for the stopped server", 60)
