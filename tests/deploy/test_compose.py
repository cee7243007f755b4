"""The compose file: each process is restricted, has settings that exist, and both profiles have all processes."""

from pathlib import Path

import pytest
import yaml

from taskmanager.core.configuration.gateway_settings import GatewaySettings
from taskmanager.core.configuration.settings import Settings

FILE = Path(__file__).parents[2] / "deploy" / "compose" / "compose.yaml"
KNOWN = {f"TASKMANAGER_{name.upper()}" for name in Settings.model_fields} | {
    f"TASKMANAGER_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields
}
ONE_SHOTS = {"render", "keys", "migrate", "replica-set"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    found: dict[str, dict] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_the_processes_of_the_service_have_no_rights(services):
    ours = {name: one for name, one in services.items() if "TASKMANAGER_IMAGE" in one["image"]}
    assert {"web", "worker", "relay", "scheduler"} < ours.keys()
    for name, one in ours.items():
        assert one["read_only"] and one["cap_drop"] == ["ALL"] and "no-new-privileges:true" in one["security_opt"]
        assert one["user"] == ("0:0" if name == "render" else "10001:10001")  # a new volume belongs to root
        assert one["environment"].keys() - KNOWN == set()
        assert one["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped")


def test_each_profile_has_a_web_process_and_a_worker_for_each_service(services):
    profiles: dict[str, set[str]] = {}
    for name, one in services.items():
        for profile in one.get("profiles", ()):
            profiles.setdefault(profile, set()).add(name)
    assert profiles["all"] == {"web", "worker"}
    assert profiles["services"] == {
        f"{role}-{name}" for role in ("web", "worker") for name in ("user", "task", "notification")
    }
    for name in profiles["services"]:
        assert services[name]["environment"]["TASKMANAGER_SERVICES"] == name.partition("-")[2]


def test_nothing_but_the_gateway_is_reached_from_outside(services):
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert published.pop("gateway") == ["${GATEWAY_PORT:-8080}:8080"]
    assert published.keys() == {"mail", "prometheus", "alertmanager", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert all(one.get("logging") for one in services.values())  # else the log of a container fills the disk


def test_the_secret_is_a_file_and_no_variable(services):
    assert "SECRET_KEY" not in str([one.get("environment") for one in services.values()])
    assert services["web"]["secrets"] == [
        {"source": name, "target": f"taskmanager_{name}"} for name in ("secret_key", "metrics_token")
    ]


def test_prometheus_finds_every_process(services):
    config = yaml.safe_load((FILE.parent / "monitoring" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    found = {name: one["port"] for one in job["dns_sd_configs"] for name in one["names"]}
    ours = {name for name, one in services.items() if "TASKMANAGER_IMAGE" in one["image"]} - ONE_SHOTS
    assert found.keys() == ours
    for name, port in found.items():
        probe = int(services[name]["environment"]["TASKMANAGER_PROBE_PORT"])
        assert port == (8000 if name.startswith("web") else probe), name
    for name in ("prometheus", "alertmanager", "grafana"):
        for volume in services[name]["volumes"]:
            assert not volume.startswith(".") or (FILE.parent / volume.partition(":")[0]).exists(), volume
