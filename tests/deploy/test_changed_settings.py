"""A changed setting replaces the pods that read it: Kubernetes restarts none for a ConfigMap that has changed."""

import shutil
from pathlib import Path

import pytest

from tests.deploy.test_manifests import FOLDER, OVERLAYS, Rendered

OWN = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: taskmanager
resources: [../production-prometheus]
configMapGenerator:
  - {name: taskmanager-gateway, behavior: merge, literals: [TASKMANAGER_GATEWAY_BURST=500]}
secretGenerator:
  - {name: taskmanager-secrets, literals: [TASKMANAGER_SECRET_KEY=%s]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the manifests, to be changed."""
    return Path(shutil.copytree(FOLDER, tmp_path / "kubernetes"))


def templates(overlay: str, folder: Path) -> dict[str, dict]:
    """The templates of pods by the name of their workload."""
    return {one["metadata"]["name"]: one["spec"]["template"] for one in Rendered(overlay, folder).workloads}


def changed(overlay: str, folder: Path, path: Path, old: str, new: str) -> set[str]:
    """The workloads whose pods are replaced when a text of the file changes."""
    before = templates(overlay, folder)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return {name for name, template in templates(overlay, folder).items() if template != before[name]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_changed_setting_replaces_every_pod(overlay, folder):
    settings = folder / "common/settings.env"
    assert changed(overlay, folder, settings, "SIGNUP=invited", "SIGNUP=open") == templates(overlay, folder).keys()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_changed_setting_of_the_gateway_replaces_its_pods_alone(overlay, folder):
    found = changed(overlay, folder, folder / "common/gateway.env", "NGINX_VERSION=1.27.5", "NGINX_VERSION=1.29.0")
    assert found == {"taskmanager-gateway"}


def test_an_overlay_adds_a_setting_and_makes_the_secret(folder):
    own = folder / "overlays/own/kustomization.yaml"
    own.parent.mkdir()
    own.write_text(OWN % "one")
    settings = Rendered("own", folder).settings("taskmanager-gateway")
    assert settings["TASKMANAGER_GATEWAY_BURST"] == "500" and settings["TASKMANAGER_GATEWAY_LISTEN"]
    (secret,) = Rendered("own", folder).of("Secret")
    (monitor,) = Rendered("own", folder).of("PodMonitor")
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        assert endpoint["authorization"]["credentials"]["name"] == secret["metadata"]["name"]
    every = templates("own", folder).keys()
    assert changed("own", folder, own, "SECRET_KEY=one", "SECRET_KEY=two") == every - {"taskmanager-gateway"}


def test_pods_name_config_maps_that_exist(folder):
    for overlay in OVERLAYS:
        rendered = Rendered(overlay, folder)
        there = {one["metadata"]["name"] for one in rendered.of("ConfigMap")}
        named = {name for one in rendered.workloads for name in _named(one["spec"]["template"])}
        assert named == there


def _named(value) -> set[str]:
    """The names of the ConfigMaps in a template."""
    if isinstance(value, list):
        return {name for one in value for name in _named(one)}
    if not isinstance(value, dict):
        return set()
    found = {value["configMapRef"]["name"]} if "configMapRef" in value else set()
    return found | {name for one in value.values() for name in _named(one)}
