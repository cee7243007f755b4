"""A real Prometheus with our rules, in which seconds stand for minutes."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import yaml

from taskmanager.embedded import ports

FOLDER = Path(__file__).parents[2] / "deploy/prometheus"
_WINDOWS = {"5m": "12s", "15m": "12s", "30m": "12s", "1h": "15s", "6h": "15s"}
_BOUNDS = {"> 120": "> 3", "> 30": "> 3"}  # seconds for which something has waited


def quick_rules() -> str:
    """Return our rules with short windows and bounds; nothing else of them is changed."""
    rules = re.sub(r"for: \w+", "for: 1s", (FOLDER / "rules.yml").read_text())
    rules = re.sub(r"\[(\w+)\]", lambda found: f"[{_WINDOWS[found[1]]}]", rules)
    for bound, shorter in _BOUNDS.items():
        rules = rules.replace(bound, shorter)
    return rules


class Alerts:
    """The alerts of a Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def firing(self) -> set[str]:
        """The names of those that fire; none while Prometheus starts."""
        return {labels["alertname"] for labels in self._firing()}

    def values(self, name: str, label: str) -> set[str]:
        """The values of a label of an alert that fires."""
        return {labels[label] for labels in self._firing() if labels["alertname"] == name}

    def _firing(self) -> list[dict[str, str]]:
        try:
            found = requests.get(f"{self._url}/api/v1/alerts", timeout=5).json()["data"]["alerts"]
        except requests.RequestException:
            return []
        return [alert["labels"] for alert in found if alert["state"] == "firing"]

    def wait_for(self, *names: str, seconds: float = 90) -> float:
        """Wait until they all fire; answers how long that took."""
        return self._wait(lambda: set(names) <= self.firing(), f"{names} do not fire", seconds)

    def wait_for_end(self, *names: str, seconds: float = 120) -> float:
        """Wait until none of them fires; answers how long that took."""
        return self._wait(lambda: not set(names) & self.firing(), f"{names} do not end", seconds)

    def _wait(self, condition, what: str, seconds: float) -> float:
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, f"{what}; there are {self.firing()}"
            time.sleep(0.25)
        return time.monotonic() - started


@contextmanager
def prometheus(executable: str, folder: Path, port_of_service: int, token: str) -> Iterator[Alerts]:
    """Run Prometheus with our files, on a service at this port."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yml").write_text(quick_rules())
    (folder / "metrics-token").write_text(token)
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    del config["alerting"]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port_of_service}"]}]
    config["scrape_configs"][0] |= {"scrape_interval": "2s", "scrape_timeout": "2s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = ports.choose()
    words = ["--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=data"]
    with (folder / "prometheus.log").open("w") as log:
        running = subprocess.Popen([executable, *words], cwd=folder, stdout=log, stderr=log)
        try:
            yield Alerts(f"http://127.0.0.1:{port}")
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait()
