"""Settings come from the environment and `.env`; all that is wrong is named at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from service.engine.machine import levels
from service.engine.machine.cores import available_cores
from service.settings import BadSettings, Settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("CONVSERVE_") or name.upper() == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_those_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.memory_budget.available_memory", lambda: 1 << 40)
    monkeypatch.setattr("service.memory_budget.available_addresses", lambda: None)
    settings = Settings.load()
    assert settings.max_body_bytes == 32 * 2**20
    assert settings.max_macs == 2e11
    assert (settings.deadline, settings.queue, settings.max_wait, settings.grace) == (30, 1024, 5, 20)
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.workers == available_cores()
    assert (settings.max_memory_bytes, settings.max_bodies_bytes) == (4 * 2**30, 512 * 2**20)
    assert (settings.compile, settings.cpu) == ("background", None)
    assert settings.limits().max_kernel_side == 255


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"servers": 3, "workers": 2}, "each needs a worker, and CONVSERVE_WORKERS is 2"),
        ({"servers": 3, "scheduler": "tcp://a:1"}, "with CONVSERVE_SCHEDULER there can only be one"),
    ],
)
def test_servers_that_cannot_work_are_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadSettings, match=f"CONVSERVE_SERVERS is 3: {reason}"):
        Settings.load(**given).check_servers()


def test_one_server_can_always_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.settings.available_cores", lambda: 64)
    Settings.load(workers=1).check_servers()
    Settings.load(scheduler="tcp://a:1").check_servers()


def test_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("CONVSERVE_QUEUE=3\nCONVSERVE_GRACE=4\nOTHER=5\n", encoding="utf-8")
    monkeypatch.setenv("CONVSERVE_QUEUE", "7")
    monkeypatch.setenv("CONVSERVE_MAX_MACS", "3e11")
    settings = Settings.load(workers=2)
    assert (settings.queue, settings.grace, settings.max_macs, settings.workers) == (7, 4, 300_000_000_000, 2)
    sources = {row.name: row.source for row in settings.rows()}
    assert sources["CONVSERVE_QUEUE"] == "env"
    assert sources["CONVSERVE_GRACE"] == ".env"
    assert sources["CONVSERVE_PORT"] == "default"
    assert sources["CONVSERVE_WORKERS"] == "argument"


def test_plain_port_is_a_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert Settings.load().port == 9000
    monkeypatch.setenv("CONVSERVE_PORT", "9001")
    assert Settings.load().port == 9001
    assert Settings.load(port=9002).port == 9002


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSERVE_API_KEYS", "one, two")
    monkeypatch.setenv("CONVSERVE_ALLOW_ORIGINS", "https://a.example,http://localhost:3000")
    settings = Settings.load()
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]
    assert settings.allow_origins == ("https://a.example", "http://localhost:3000")


def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSERVE_API_KEYS", "hush-hush")
    settings = Settings.load()
    assert "hush" not in f"{settings!r} {settings.rows()!r}"
    monkeypatch.setenv("CONVSERVE_API_KEYS", "hush hush")
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("keys", [",", "one,", "schlüssel", "two words"])
def test_faulty_keys_do_not_leave_the_service_open(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("CONVSERVE_API_KEYS", keys)
    with pytest.raises(BadSettings, match="CONVSERVE_API_KEYS"):
        Settings.load()


def test_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSERVE_API_KEYS", "")
    monkeypatch.setenv("CONVSERVE_QUEUE", "")
    assert Settings.load() == Settings()


def test_all_faults_are_named_with_value_and_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = {
        "PORT": "tcp://10.0.0.1:8000",
        "CONVSERVE_QUEUE": "-1",
        "CONVSERVE_DEADLINE": "nan",
        "CONVSERVE_MAX_STEPS": "1.5",
        "CONVSERVE_ROOT_PATH": "images/",
        "CONVSERVE_LOG_FORMAT": "xml",
        "CONVSERVE_COMPILE": "later",
        "CONVSERVE_CPU": "x86-64-v9",
        "CONVSERVE_ALLOW_ORIGINS": "https://a.example/path",
    }
    for name, value in faulty.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        Settings.load(workers=0)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(faulty) + 1
    for name, value in faulty.items():
        assert any(line.startswith(f"{name} is '{value}': must be ") for line in lines)
    assert "CONVSERVE_WORKERS is '0': must be a whole number from 1 to 1,024" in lines


def test_processor_level_that_the_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(level: str | None) -> str:
        raise ValueError(f"this machine has no {level}")

    monkeypatch.setattr("service.engine.machine.levels.use", lacking)
    known = levels.KNOWN[-1]
    with pytest.raises(BadSettings, match=f"CONVSERVE_CPU is '{known}': this machine has no {known}"):
        Settings.load(cpu=known).use_cpu()


def test_processor_level_is_the_highest_unless_set() -> None:
    assert Settings.load().use_cpu() == levels.highest()
    assert Settings.load(cpu=levels.KNOWN[0]).use_cpu() == levels.KNOWN[0]
