"""compose.yaml: what it names exists, and every container is bounded and hardened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings, variable

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounts(service: dict[str, Any]) -> list[list[str]]:
    return [volume.split(":") for volume in service.get("volumes", [])]


@pytest.mark.parametrize("name", SERVICES)
def test_container_is_bounded_and_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}


@pytest.mark.parametrize("name", SERVICES)
def test_everything_named_exists(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert set(service.get("depends_on", {})) <= SERVICES.keys()
    for source, *_ in mounts(service):
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_of_the_project_can_be_written(name: str) -> None:
    assert all(options == ["ro"] for source, _, *options in mounts(SERVICES[name]) if source.startswith("."))


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "convserve"])
def test_foreign_images_are_of_a_stated_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+", SERVICES[name]["image"])


def test_replicas_are_reached_by_the_balancer_only() -> None:
    assert SERVICES["convserve"]["deploy"]["replicas"] == 2
    assert "ports" not in SERVICES["convserve"]
    assert SERVICES["convserve"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["balancer"]["ports"] == ["8000:8000"]


def test_service_takes_the_settings_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = SERVICES["convserve"]["environment"]
    assert given.keys() <= {variable(field) for field in Settings.model_fields}
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value or "")
    settings = Settings.load()
    grace = float(SERVICES["convserve"]["stop_grace_period"].removesuffix("s"))
    assert settings.grace < grace
