"""The chart, rendered by Helm itself and held against Kubernetes' own schemas."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings, variable

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "convserve"
HELM = shutil.which("helm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
VERSIONS = ("1.27", "1.37")
WITHOUT_SCHEMA = frozenset({"ServiceMonitor"})  # it belongs to the Prometheus operator

EVERYTHING: dict[str, Any] = {
    "settings": {
        "workers": 4,
        "max_macs": 200000000000,
        "root_path": "/images",
        "deadline": 12.5,
        "log_format": "json",
    },
    "presets": {"my-blur": {"op": "blur", "sigma": 3}},
    "apiKeys": ["one", "two"],
    "ingress": {"enabled": True, "className": "nginx", "hosts": ["a.example"], "tls": [{"secretName": "tls"}]},
    "autoscaling": {"queuedJobs": 4},
    "metrics": {"annotations": False, "serviceMonitor": True},
    "networkPolicy": {"egress": [{"to": [{"podSelector": {"matchLabels": {"app": "collector"}}}]}]},
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "imagePullSecrets": [{"name": "pull"}],
}
CASES: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "everything": EVERYTHING,
    "a secret that exists": {"existingSecret": "keys", "metrics": {"serviceMonitor": True}},
    "as little as can be": {
        "autoscaling": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}

Documents = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def _helm() -> None:
    if HELM is None:
        if os.environ.get("CONVSERVE_TEST_HELM") == "required":
            pytest.fail("helm is not here: deploy/helm/get-helm .venv/bin/helm")
        pytest.skip("helm is not here: deploy/helm/get-helm .venv/bin/helm")


def helm(*arguments: str, values: Mapping[str, Any], version: str = VERSIONS[-1]) -> subprocess.CompletedProcess[str]:
    command = [str(HELM), *arguments, "--kube-version", version, "--values", "-"]
    return subprocess.run(command, check=False, input=json.dumps(values), capture_output=True, text=True, timeout=60)


def rendered(values: Mapping[str, Any], version: str = VERSIONS[-1]) -> Documents:
    """Render the chart; gives its documents by kind, the second of a kind by its name."""
    done = helm("template", "demo", str(CHART), values=values, version=version)
    assert done.returncode == 0, done.stderr
    documents: Documents = {}
    for document in yaml.safe_load_all(done.stdout):
        if document:
            kind = document["kind"]
            documents[document["metadata"]["name"] if kind in documents else kind] = document
    return documents


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_keeps_to_its_schema(name: str, version: str) -> None:
    for kind, document in rendered(CASES[name], version).items():
        if kind not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", CASES)
def test_chart_passes_helms_own_look(name: str) -> None:
    done = helm("lint", str(CHART), "--strict", values=CASES[name])
    assert done.returncode == 0, done.stdout + done.stderr


def test_pod_is_hardened_and_probed() -> None:
    documents = rendered({})
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/readyz", "liveness": "/livez", "readiness": "/readyz"}
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 30  # twice what a start takes on half a core
    assert container["resources"].keys() == {"requests", "limits"}
    assert documents["NetworkPolicy"]["spec"]["egress"] == []
    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"} <= documents.keys()


def test_pod_has_time_to_drain() -> None:
    documents = rendered({"grace": 50, "leave": 7})
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    assert documents["ConfigMap"]["data"]["CONVSERVE_GRACE"] == "50"
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert pod["terminationGracePeriodSeconds"] > 50 + 7


def test_selectors_find_the_pods_and_not_the_tests() -> None:
    documents = rendered(EVERYTHING)
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    service = documents["Service"]["spec"]["selector"]
    selectors = [documents[kind]["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")]
    for selector in [service, *selectors, documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]]:
        assert selector.items() <= labels.items()
        assert not selector.items() <= documents["Pod"]["metadata"]["labels"].items()


def test_service_takes_the_settings_as_rendered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = rendered(EVERYTHING)["ConfigMap"]["data"]
    known = {variable(field) for field in Settings.model_fields}
    assert data.keys() <= known
    monkeypatch.chdir(tmp_path)
    for name in known:
        monkeypatch.delenv(name, raising=False)
    for name, value in data.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert (settings.max_macs, settings.deadline, settings.root_path) == (200_000_000_000, 12.5, "/images")


def test_scaling_follows_cpu_and_queue() -> None:
    metrics = rendered(EVERYTHING)["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert [metric["type"] for metric in metrics] == ["Resource", "Pods"]
    assert metrics[1]["pods"]["metric"]["name"] == "convserve_jobs_queued"
    assert "replicas" not in rendered(EVERYTHING)["Deployment"]["spec"]
    assert rendered({"autoscaling": {"enabled": False}})["Deployment"]["spec"]["replicas"] == 2


def test_presets_are_mounted_where_the_setting_says() -> None:
    documents = rendered(EVERYTHING)
    assert json.loads(documents["demo-convserve-presets"]["data"]["presets.json"]) == EVERYTHING["presets"]
    (mount,) = [
        mount
        for mount in documents["Deployment"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        if mount["name"] == "presets"
    ]
    assert documents["ConfigMap"]["data"]["CONVSERVE_PRESETS"] == f"{mount['mountPath']}/presets.json"


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 3},
        {"settings": {"port": 9000}},
        {"settings": {"api_keys": "in the open"}},
        {"apiKeys": ["two words"]},
        {"apiKeys": ["a"], "existingSecret": "b"},
        {"autoscaling": {"cpuPercent": None}},
        {"ingress": {"enabled": True}},
    ],
)
def test_faulty_values_are_refused(values: dict[str, Any]) -> None:
    assert helm("template", "demo", str(CHART), values=values).returncode != 0
