"""The probe of a process without a web server."""

import pytest
import requests

from taskmanager.embedded import ports
from tests.faults.stack import eventually
from tests.workers.processes import Process

TOKEN = "a token of Prometheus"


@pytest.fixture
def url(app, settings, tmp_path):
    port = ports.choose()
    process = Process("worker", settings, probe_port=port, metrics_token=TOKEN, data_dir=tmp_path)
    process.wait_for("worker started")
    yield f"http://127.0.0.1:{port}"
    process.kill()


def test_a_worker_is_probed_and_scraped(url):
    eventually(lambda: requests.get(f"{url}/health/live", timeout=10).status_code == 200, "the first heartbeat")
    assert requests.get(f"{url}/metrics", timeout=10).status_code == 401
    assert requests.get(f"{url}/metrics", headers={"Authorization": "Bearer x"}, timeout=10).status_code == 401
    answer = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert 'taskmanager_processes{role="worker"} 1.0' in answer.text
    assert requests.get(f"{url}/other", timeout=10).status_code == 404
