"""The manifests fit Kubernetes' schemas, each other, and the gateway's settings and metrics."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.metrics import Metrics
from gateway.settings import EXAMPLE_KEY, Settings
from tests.deploy.queries import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
EXAMPLE = KUBERNETES / "overlays" / "example"
VERSIONS = ("1.32", "1.35", kubernetes_validate.latest_version())
FILES = sorted(
    path
    for folder in ("base", "vllm", "overlays/example")
    for path in (KUBERNETES / folder).glob("*.yaml")
    if path.name != "kustomization.yaml"
)
Manifest = dict[str, Any]


def _read(path: Path) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def _named(kind: str, name: str = "its-gateway") -> Manifest:
    [found] = [
        each
        for path in FILES
        for each in _read(path)
        if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    return found


def _pods() -> Iterator[tuple[Manifest, Manifest]]:
    """Each workload's pod, and its one container."""
    for name in ("its-gateway", "vllm"):
        pod = _named("Deployment", name)["spec"]["template"]
        [container] = pod["spec"]["containers"]
        yield pod, container


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_every_manifest_fits_the_schema(path: Path, version: str) -> None:
    for manifest in _read(path):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_that_does_not_fit_is_found() -> None:
    wrong = _named("PodDisruptionBudget")
    wrong["spec"]["maxUnavailabel"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("folder", ["base", "vllm", "overlays/example"])
def test_every_file_is_a_resource_and_every_resource_a_file(folder: str) -> None:
    [kustomization] = _read(KUBERNETES / folder / "kustomization.yaml")
    named = {(KUBERNETES / folder / each).resolve() for each in kustomization["resources"]}
    assert all(each.exists() for each in named)
    assert {each for each in named if each.is_file()} == {
        path for path in FILES if path.parent == KUBERNETES / folder
    }


def _kustomize() -> list[str] | None:
    if found := shutil.which("kustomize"):
        return [found, "build"]
    found = shutil.which("kubectl")
    return [found, "kustomize"] if found else None


@pytest.mark.skipif(_kustomize() is None, reason="no kustomize or kubectl: overlay NOT BUILT")
def test_the_example_builds_and_what_it_builds_fits() -> None:
    command = _kustomize()
    assert command is not None
    done = subprocess.run(
        [*command, str(EXAMPLE)], capture_output=True, text=True, timeout=60, check=True
    )
    built = [each for each in yaml.safe_load_all(done.stdout) if each]
    for manifest in built:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
    deployments = {
        each["metadata"]["name"]: each["spec"] for each in built if each["kind"] == "Deployment"
    }
    assert deployments["vllm"]["replicas"] == 3
    [secret] = [each for each in built if each["kind"] == "Secret"]
    pod = deployments["its-gateway"]["template"]["spec"]
    assert secret["metadata"]["name"] in {
        volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume
    }


def test_pods_may_do_as_little_as_can_be() -> None:
    for pod, container in _pods():
        spec, own = pod["spec"], container["securityContext"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert {"/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert _named("ServiceAccount")["automountServiceAccountToken"] is False
    enforced = _named("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"


def test_every_selector_and_port_meets_a_pod() -> None:
    for name, (pod, container) in zip(("its-gateway", "vllm"), _pods(), strict=True):
        labels = pod["metadata"]["labels"].items()
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        service = _named("Service", name)["spec"]
        selectors = [
            service["selector"],
            _named("Deployment", name)["spec"]["selector"]["matchLabels"],
            _named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
            _named("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"],
        ]
        assert all(selector.items() <= labels for selector in selectors)
        assert {port["targetPort"] for port in service["ports"]} <= ports.keys()
        probes = [container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")]
        assert {probe["httpGet"]["port"] for probe in probes} <= ports.keys()
        assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["http"])


def test_probes_ask_what_the_gateway_answers_and_wait_long_enough() -> None:
    _, container = next(_pods())
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}
    assert container["readinessProbe"]["timeoutSeconds"] > 5  # how long backends are waited for


def test_the_gateway_is_drained_before_it_is_killed() -> None:
    pod, container = next(_pods())
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = _environment(container)["ITS_DRAIN_SECONDS"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > pause + float(drain)


def _environment(container: Manifest) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_the_environment_is_one_that_the_gateway_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, container = next(_pods())
    keys = tmp_path / "keys"
    keys.write_text((EXAMPLE / "keys.txt").read_text())
    for name, value in _environment(container).items():
        assert name.removeprefix("ITS_").lower() in Settings.model_fields
        monkeypatch.setenv(name, str(keys) if name == "ITS_API_KEYS_FILE" else value)
    settings = Settings(host="0.0.0.0")
    assert settings.client_keys() == {EXAMPLE_KEY}
    [upstream] = settings.upstreams()
    service = _named("Service", "vllm")
    assert upstream.base == f"dns+http://vllm:{service['spec']['ports'][0]['port']}"
    assert service["spec"]["clusterIP"] == "None"  # else the name is not the pods'


def test_the_autoscaler_asks_for_what_the_adapter_tells_of_the_gateway() -> None:
    scaler = _named("HorizontalPodAutoscaler")["spec"]
    [metric] = [each["pods"]["metric"]["name"] for each in scaler["metrics"]]
    [adapter] = _read(KUBERNETES / "prometheus" / "adapter-values.yaml")
    [rule] = adapter["rules"]["custom"]
    assert rule["name"]["as"] == metric
    assert rule["seriesQuery"].startswith(metric + "{")
    gauges = {family.name for family, _ in Metrics().families() if family.type == "gauge"}
    assert metric in gauges
    target = scaler["scaleTargetRef"]
    assert target["name"] == _named(target["kind"])["metadata"]["name"]
    assert "replicas" not in _named("Deployment")["spec"]


def test_the_scrape_configuration_gives_the_labels_that_the_adapter_needs() -> None:
    [scrape] = _read(KUBERNETES / "prometheus" / "scrape.yml")
    for job in scrape["scrape_configs"]:
        targets = {rule.get("target_label") for rule in job["relabel_configs"]}
        assert {"namespace", "pod", "__address__"} <= targets
    assert {job["job_name"] for job in scrape["scrape_configs"]} == {"its-gateway", "vllm"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: NOT CHECKED")
def test_the_rest_of_the_scrape_configuration_is_valid(tmp_path: Path) -> None:
    """Debian's Prometheus is built without discovery of pods, so that part is left out."""
    [scrape] = _read(KUBERNETES / "prometheus" / "scrape.yml")
    for job in scrape["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        job["static_configs"] = [{"targets": ["pod:1"]}]
    config = tmp_path / "prometheus.yml"
    config.write_text(yaml.safe_dump(scrape))
    command = ["promtool", "check", "config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
