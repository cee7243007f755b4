"""The manifests of Kubernetes: each overlay renders and keeps our rules. `make manifests` asks two checkers, too."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from taskmanager import __version__
from taskmanager.api import metrics
from taskmanager.app import routing_app
from taskmanager.core.configuration.gateway_settings import GatewaySettings
from taskmanager.core.configuration.settings import Settings
from taskmanager.gateway import rendering

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (FOLDER / "overlays").iterdir())
KNOWN = {f"TASKMANAGER_{name.upper()}" for name in Settings.model_fields} | {
    f"TASKMANAGER_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields
}
SECRETS = {"SECRET_KEY", "MONGODB_URI", "QUEUE_URL", "CACHE_URL", "MAIL_URL", "METRICS_TOKEN", "ADMIN_PASSWORD"}


class Rendered:
    """The objects of an overlay."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        if not shutil.which("kubectl"):
            pytest.skip("no kubectl is installed: the manifests were not rendered")
        command = ["kubectl", "kustomize", str(folder / "overlays" / name)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        self.objects = [one for one in yaml.load_all(ran.stdout, Loader=yaml.CSafeLoader) if one]

    def of(self, *kinds: str) -> list[dict]:
        return [one for one in self.objects if one["kind"] in kinds]

    def named(self, kind: str, name: str) -> dict:
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def settings(self, name: str) -> dict[str, str]:
        """Return what the ConfigMap has whose name is this one and a hash."""
        (found,) = [one for one in self.of("ConfigMap") if one["metadata"]["name"].rpartition("-")[0] == name]
        return found["data"]

    @property
    def workloads(self) -> list[dict]:
        return self.of("Deployment", "Job")


@pytest.fixture(scope="module", params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return Rendered(request.param)


def pod(workload):
    return workload["spec"]["template"]["spec"]


def containers(workload):
    return [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]


def test_pods_are_restricted(rendered):
    for workload in rendered.workloads:
        spec = pod(workload)
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False  # variables that are no settings are refused
        for one in containers(workload):
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert one["resources"]["limits"].keys() == one["resources"]["requests"].keys() == {"cpu", "memory"}
            assert one["image"].endswith(f"/taskmanager:{__version__}") or one["image"].startswith("nginx:")
            # A restart must not need the registry: tags are never moved.
            assert one["imagePullPolicy"] == "IfNotPresent"
            assert {"name": "tmp", "mountPath": "/tmp"} in one["volumeMounts"]


def test_every_process_is_probed_and_ends_in_time(rendered):
    for workload in rendered.of("Deployment"):
        (one,) = pod(workload)["containers"]
        assert {"livenessProbe", "readinessProbe"} <= one.keys()
        assert workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        probe = one["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 60 and probe["timeoutSeconds"] == 5
        if one["name"] in ("web", "gateway"):
            assert "sleep" in str(one["lifecycle"]["preStop"])
            assert one["livenessProbe"]["httpGet"]["path"] in ("/health/live", "/.gateway/live")  # asks no other server
        else:
            assert one["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "probe"}
            port = int(rendered.settings("taskmanager-settings")["TASKMANAGER_PROBE_PORT"])
            assert {"name": "probe", "containerPort": port} in one["ports"]
        if one["name"] == "worker":
            assert pod(workload)["terminationGracePeriodSeconds"] >= 80  # workers/stopping.py waits for 75 s


def test_web_pods_end_after_the_connections_of_the_gateway(rendered, settings):
    """The gateway keeps a connection to a pod for seconds after no new ones come: the pod must not end before."""
    config = rendering.render(routing_app(settings), settings, GatewaySettings())
    kept = int(re.search(r"keepalive_time (\d+)s;", config)[1])
    for workload in rendered.of("Deployment"):
        (one,) = pod(workload)["containers"]
        if one["name"] == "web":
            waits = int(one["lifecycle"]["preStop"]["exec"]["command"][1])
            assert waits >= kept + 5
            assert pod(workload)["terminationGracePeriodSeconds"] >= waits + 10 + 8  # graceful_timeout of gunicorn
        if one["name"] == "gateway":  # the signal after preStop may break off what is being answered
            ended = int(re.search(r"worker_shutdown_timeout (\d+)s;", config)[1])
            assert "while [ -e /run/gateway/nginx.pid ]" in str(one["lifecycle"]["preStop"])
            assert pod(workload)["terminationGracePeriodSeconds"] >= 5 + ended + 5


def test_no_process_starts_before_the_database_is_migrated(rendered):
    for workload in rendered.of("Deployment"):
        first = pod(workload)["initContainers"][0]
        if pod(workload)["containers"][0]["name"] == "gateway":
            assert first["name"] == "render"
        else:
            assert "until taskmanager migrate --check" in first["command"][-1]
            assert first["envFrom"] == pod(workload)["containers"][0]["envFrom"]
    job = rendered.named("Job", "taskmanager-migrate")
    assert pod(job)["containers"][0]["command"][-1].endswith("exec taskmanager migrate --expand")


def test_disruptions_selectors_and_scaling_name_what_there_is(rendered):
    deployments = rendered.of("Deployment")
    labels = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in deployments}
    selectors = [one["spec"]["selector"] for one in rendered.of("Service")]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in rendered.of("PodDisruptionBudget")]
    for selector in selectors:
        assert sum(selector.items() <= own.items() for own in labels.values()) == 1, selector
    budgets = [one["spec"]["selector"]["matchLabels"].items() for one in rendered.of("PodDisruptionBudget")]
    for name, own in labels.items():
        assert any(budget <= own.items() for budget in budgets), f"{name} has no PodDisruptionBudget"
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in rendered.of("HorizontalPodAutoscaler")}
    assert scaled <= labels.keys()
    for workload in deployments:  # else each `kubectl apply` would undo what the autoscaler did
        assert ("replicas" in workload["spec"]) == (workload["metadata"]["name"] not in scaled)


def test_settings_exist_and_none_is_a_secret(rendered):
    for settings in rendered.of("ConfigMap"):
        names = settings["data"].keys()
        assert names - KNOWN == set()
        assert not {name for name in names if name.removeprefix("TASKMANAGER_") in SECRETS}
    assert rendered.of("Secret") == []
    for workload in rendered.workloads:
        for one in containers(workload):
            assert {variable["name"] for variable in one.get("env", [])} - KNOWN == set()


def test_the_network_is_closed_by_default(rendered):
    closed = rendered.named("NetworkPolicy", "taskmanager-deny")["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    metadata = [one for one in rendered.of("NetworkPolicy") if "0.0.0.0/0" in str(one)]
    assert all("169.254.0.0/16" in str(one) and "10.0.0.0/8" in str(one) for one in metadata)


def test_databases_in_the_namespace_are_all_but_our_components(rendered):
    own = {one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] for one in rendered.workloads}
    policies = {one["metadata"]["name"]: one["spec"] for one in rendered.of("NetworkPolicy")}
    (others,) = policies["taskmanager-stores-here"]["podSelector"]["matchExpressions"]
    assert (others["operator"], set(others["values"])) == ("NotIn", own)
    (named,) = policies["taskmanager-stores"]["podSelector"]["matchExpressions"]
    assert set(named["values"]) == own - {"gateway"}
    assert policies["taskmanager-names"]["podSelector"] == {}


def test_the_namespace_is_restricted_and_no_overlay_deletes_it(rendered):
    """`kubectl delete -k` would take the databases and keys in it along."""
    namespace = yaml.safe_load((FOLDER / "common/namespace.yaml").read_text())
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert rendered.of("Namespace") == []
    assert {one["metadata"]["namespace"] for one in rendered.objects} == {namespace["metadata"]["name"]}


def test_the_gateway_leads_to_services_that_exist(rendered):
    settings = rendered.settings("taskmanager-gateway")
    lists = {name: value.split(",") for name, value in settings.items() if name.endswith("SERVERS")}
    targets = {address for addresses in lists.values() for address in addresses}
    services = {
        f"{one['metadata']['name']}:{port['port']}" for one in rendered.of("Service") for port in one["spec"]["ports"]
    }
    assert targets and targets <= services
    # A Service is one address of many pods: it is listed again for a second and third try.
    assert all(len(addresses) == 3 for addresses in lists.values())
    routed = rendered.of("Ingress", "HTTPRoute")
    assert len(routed) == 1 and "taskmanager-gateway" in str(routed[0])


def metrics_of(overlay):
    """The metrics of all autoscalers of an overlay, by type."""
    metrics = [one for scaler in Rendered(overlay).of("HorizontalPodAutoscaler") for one in scaler["spec"]["metrics"]]
    return {kind: [one for one in metrics if one["type"] == kind] for kind in ("Resource", "Pods", "External")}


def test_autoscalers_need_no_adapter_by_default():
    """One that lacks a metric never scales down."""
    found = metrics_of("production")
    assert found["Resource"] and not found["Pods"] and not found["External"]


def test_the_adapter_gives_the_metrics_of_the_autoscalers(app):
    rules = yaml.safe_load((FOLDER / "adapter.yaml").read_text())["rules"]
    found = metrics_of("production-prometheus")
    assert [rule["name"]["as"] for rule in rules["custom"]] == [one["pods"]["metric"]["name"] for one in found["Pods"]]
    (external,) = rules["external"]
    assert [external["name"]["as"]] == [one["external"]["metric"]["name"] for one in found["External"]]
    # It is read from the queue by each web process: a sum grows with their number.
    assert external["metricsQuery"].startswith("max(")
    text = metrics.exposition().decode()
    for rule in rules["custom"] + rules["external"]:
        family = re.search(r"taskmanager_\w+", rule["seriesQuery"])[0].removesuffix("_sum")
        assert f"# TYPE {family} " in text


def test_the_monitor_reads_every_process_with_the_token():
    monitor = yaml.safe_load((FOLDER / "components" / "monitoring" / "monitors.yaml").read_text())["spec"]
    ports = {port["name"] for one in Rendered("production").of("Deployment") for port in _ports(one)}
    for endpoint in monitor["podMetricsEndpoints"]:
        assert endpoint["port"] in ports and endpoint["authorization"]["credentials"]["name"] == "taskmanager-secrets"


def _ports(workload):
    return pod(workload)["containers"][0]["ports"]


def test_services_apart_have_all_processes():
    rendered, services = Rendered("services"), ("user", "task", "notification")
    for service in services:
        for role in ("web", "worker", "scheduler"):
            (one,) = pod(rendered.named("Deployment", f"taskmanager-{role}-{service}"))["containers"]
            assert {"name": "TASKMANAGER_SERVICES", "value": service} in one["env"]
    scaled = {one["metadata"]["name"] for one in rendered.of("HorizontalPodAutoscaler")}
    each = {
        f"taskmanager-{role}-{service}" for role in ("web", "worker") for service in ("user", "task", "notification")
    }
    assert scaled == each | {"taskmanager-gateway"}
    assert len([one for one in rendered.of("Deployment") if "relay" in one["metadata"]["name"]]) == 1
