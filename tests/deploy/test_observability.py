"""What Prometheus, its alerts and the dashboard ask for is what the service tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.routes.sample import SAMPLE_PNG
from tests.live import Live

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "convserve.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
OWN_LABELS = frozenset({"job", "instance"})  # those that Prometheus adds
OF_PROMETHEUS = frozenset({"up"})

CONTRACT = {
    "convserve_requests_total": {"route", "method", "status"},
    "convserve_request_duration_seconds_count": {"route"},
    "convserve_span_duration_seconds_count": {"span"},
    "convserve_jobs_running": set(),
    "convserve_jobs_queued": set(),
    "convserve_workers": set(),
    "convserve_refusals_total": {"code"},
}


def queries() -> dict[str, str]:
    """Give every query of the dashboard and the alerts by where it stands."""
    found = {
        f"panel {panel['title']}, {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    return found | {f"alert {rule['alert']}": rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """Give each metric that a query names, with the labels that it is selected by; fails where it is no PromQL."""
    for name, value in (("$__rate_interval", "1m"), ("$instance", ".*")):
        query = query.replace(name, value)
    return walk(promql_parser.parse(query))


def walk(node: Any) -> Iterator[tuple[str, set[str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or "", {matcher.name for matcher in node.matchers.matchers}
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from walk(node.vector_selector)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from walk(node.lhs)
        yield from walk(node.rhs)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from walk(argument)
    elif isinstance(node, (promql_parser.AggregateExpr, promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        yield from walk(node.expr)


@pytest.fixture(scope="module")
def samples(live: Live) -> dict[str, set[str]]:
    """Give every sample's name with its labels, after an answer and a refusal."""
    with httpx.Client(base_url=live.url, trust_env=False, timeout=60) as client:
        blur = {"spec": '{"op": "blur", "sigma": 1}'}
        assert client.post("/v1/filter", files={"image": SAMPLE_PNG}, data=blur).status_code == 200
        assert client.post("/v1/filter", data=blur).status_code == 415
        text = client.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        names = [f"{family.name}_total"] if family.type == "counter" else []
        for name in names:  # told even while nothing has been counted
            found.setdefault(name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_metrics_are_those_of_the_contract(samples: dict[str, set[str]]) -> None:
    assert CONTRACT.items() <= samples.items()
    assert "convserve_worker_restarts_total" in samples


@pytest.mark.parametrize("place", queries())
def test_query_names_metrics_and_labels_that_exist(place: str, samples: dict[str, set[str]]) -> None:
    found = list(selectors(queries()[place]))
    assert found
    for name, labels in found:
        if name not in OF_PROMETHEUS:
            assert name in samples, f"{place}: there is no metric {name}"
            known = samples[name] | OWN_LABELS | ({"reason"} if "restarts" in name else set())
            assert labels <= known, f"{place}: {name} has no labels {labels - known}"


def test_dashboard_shows_every_metric_of_the_contract(samples: dict[str, set[str]]) -> None:
    asked = {name for query in queries().values() for name, _ in selectors(query)}
    told = {name for name in samples if name.startswith("convserve_") and not name.endswith("_created")}
    parts = re.compile(r"_(count|sum|bucket)$")
    assert {parts.sub("", name) for name in told} <= {parts.sub("", name) for name in asked}


def test_dashboard_can_be_provisioned() -> None:
    (source,) = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").read_text(encoding="utf-8")
    )["datasources"]
    used = {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    assert used == {source["uid"]}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert DASHBOARD["uid"] == "convserve"


def test_dashboard_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_prometheus_scrapes_what_compose_starts() -> None:
    compose = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    (names,) = jobs["convserve"]["dns_sd_configs"]
    assert set(names["names"]) <= compose["services"].keys()
    (targets,) = jobs["balancer"]["static_configs"]
    assert {target.split(":")[0] for target in targets["targets"]} <= compose["services"].keys()
    assert all((DEPLOY / "prometheus" / name).is_file() for name in PROMETHEUS["rule_files"])
