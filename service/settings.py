"""The settings: one frozen model, read once from the environment and `.env`, each with its bound."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, NoDecode, SettingsConfigDict

from service import memory_budget
from service.engine.machine import levels
from service.engine.machine.cores import available_cores
from service.engine.machine.limits import Limits

PREFIX = "CONVSERVE_"
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9._\-\[\]:]+|(?!https?:)[a-z][a-z0-9+.\-]*://[A-Za-z0-9._\-\[\]:]*")
"""Apps and extensions have schemes of their own, some without a host. "null" is not an origin: every sandboxed
frame and local file sends it, so allowing it would allow anybody."""
_KEY = re.compile(r"[!-+\--~]+")  # visible ASCII but the comma, which separates
_HIDDEN = "********"

Source = Literal["default", "env", ".env", "argument"]


class BadSettings(Exception):
    """Every faulty variable with its value and what it must be, one per line."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class Row(NamedTuple):
    """A setting as `convserve settings` prints it."""

    name: str
    value: str
    source: Source


def _whole(default: int, low: int, high: int, description: str, *, alias: AliasChoices | None = None) -> Any:
    return _text(
        default, f"a whole number from {low:,} to {high:,}", description, ge=low, le=high, validation_alias=alias
    )


def _seconds(default: float, low: float, high: float, description: str) -> Any:
    expects = f"a number of seconds from {low:g} to {high:g}"
    return _text(default, expects, description, ge=low, le=high, allow_inf_nan=False)


def _text(default: Any, expects: str, description: str, **rules: Any) -> Any:
    return Field(default, description=description, json_schema_extra={"expects": expects}, **rules)


class Settings(BaseSettings):
    """Everything that can be set, by the environment variable of the same name with CONVSERVE_ before it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    host: str = _text("127.0.0.1", "a host name or address", "address to listen on", pattern=r"^[A-Za-z0-9.:_\-]+$")
    port: int = _whole(
        8000,
        0,
        65535,
        "port to listen on; 0 takes any free port; the variable PORT is read as well",
        alias=AliasChoices("CONVSERVE_PORT", "PORT"),
    )
    root_path: str = _text(
        "",
        "a path such as /images, with a slash at the start and none at the end",
        "path under which a proxy serves this service",
        pattern=r"^(/[A-Za-z0-9._~\-]+)*$",
    )

    max_body_bytes: int = _whole(32 * 2**20, 1, 2**40, "largest body of a request, in bytes")
    max_image_pixels: int = _whole(50_000_000, 1, 2**40, "most pixels of an input image")
    max_output_pixels: int = _whole(50_000_000, 1, 2**40, "most pixels of a step's output")
    max_channels: int = _whole(1024, 1, 2**20, "most channels of an image or a step's output")
    max_steps: int = _whole(16, 1, 1024, "most steps in a spec")
    max_kernel_side: int = _whole(255, 1, 2**20, "longest side of a kernel")
    max_macs: int = _whole(200_000_000_000, 1, 10**18, "most multiplications in a request")
    max_memory_bytes: int = _whole(
        Limits.max_memory_bytes, 2**20, 2**50, "most memory for a job, in bytes; the default is less if memory is short"
    )
    max_bodies_bytes: int = _whole(
        memory_budget.MOST_BODIES_BYTES,
        2**20,
        2**50,
        "most bytes of all bodies and answers held at once; the default is at least four of the largest bodies, but "
        "less if memory is short",
    )
    deadline: float = _seconds(
        30.0, 0.001, 86400, "time limit for a request once its body has been read, waiting included"
    )

    servers: int = _whole(
        1,
        1,
        128,
        "server processes, which share one port and each have a share of the workers; the default is one for each "
        "eight cores, fewer if memory is short",
    )
    workers: int = Field(
        default_factory=available_cores,
        ge=1,
        le=1024,
        description="worker processes; the default is one for each available core, fewer if memory is short",
        json_schema_extra={"expects": "a whole number from 1 to 1,024"},
    )
    queue: int = _whole(1024, 0, 100_000, "most waiting requests for each worker")
    max_wait: float = _seconds(
        5.0,
        0.0,
        86400,
        "longest wait for a request, estimated from what similar requests took lately; beyond it, requests are refused",
    )
    grace: float = _seconds(20.0, 0.0, 86400, "time for accepted requests to finish when the service stops")
    compile: Literal["background", "before", "off"] = _text(
        "background",
        "background, before or off",
        "when to compile loops that are not on disk: in the background, or before the service is ready; with off, no "
        "loops are compiled or used",
    )
    cpu: str | None = _text(
        None,
        f"one of {', '.join(levels.KNOWN)}",
        "processor level whose loops are compiled and used; the default is the highest level that the machine supports",
    )
    scheduler: str | None = _text(
        None,
        "an address such as tcp://scheduler:8786",
        "address of a Dask scheduler, whose cluster replaces the worker processes",
        pattern=r"^[A-Za-z0-9+.\-]+://[^\s/]+$|^[^\s/:]+:\d+$",
    )

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = _text(
        (),
        "keys of visible ASCII characters, separated by commas, none of them empty",
        "API keys, separated by commas; if any are set, /v1 and /metrics need one",
    )
    allow_origins: Annotated[tuple[str, ...], NoDecode] = _text(
        (),
        'origins such as https://example.org or capacitor://localhost, separated by commas, or *; not "null"',
        "origins whose pages may call the service, separated by commas; * allows all",
    )
    presets: Path | None = _text(
        None, "the path of a JSON file", 'JSON file with more presets, {"name": spec, ...}', validate_default=False
    )
    log_level: Literal["debug", "info", "warning", "error", "critical"] = _text(
        "info", "debug, info, warning, error or critical", "least severe level of log lines to write"
    )
    log_format: Literal["console", "json"] = _text("console", "console or json", "format of the log lines")
    tracing: str | None = _text(
        None,
        "an address such as http://collector:4318",
        "address of an OpenTelemetry collector that takes OTLP over HTTP; spans are sent to it",
        pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~\-]+)*/?$",
    )

    @field_validator(
        "max_body_bytes",
        "max_image_pixels",
        "max_output_pixels",
        "max_channels",
        "max_steps",
        "max_kernel_side",
        "max_macs",
        "max_memory_bytes",
        "max_bodies_bytes",
        mode="before",
    )
    @classmethod
    def _exponent(cls, value: Any) -> Any:
        """Read 2e11 as a whole number."""
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?[eE]\+?\d{1,2}", value.strip()):
            number = float(value)
            return int(number) if number.is_integer() else value
        return value

    @field_validator("log_level", "log_format", "compile", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("api_keys", "allow_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _sendable(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_KEY.fullmatch(key.get_secret_value()) for key in keys):
            raise ValueError
        return keys

    @field_validator("allow_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError
        return origins

    @field_validator("cpu")
    @classmethod
    def _known(cls, cpu: str | None) -> str | None:
        if cpu is not None and cpu not in levels.KNOWN:
            raise ValueError
        return cpu

    @model_validator(mode="after")
    def _share_memory(self) -> Self:
        """Fit values that are not set into the available memory; a cluster's workers are on other machines."""
        given = self.model_fields_set
        shares = memory_budget.share_out(*self._machine(), self._wishes())
        found = {
            "workers": shares.workers,
            "max_memory_bytes": shares.job,
            "max_bodies_bytes": shares.bodies,
            "servers": shares.servers,
        }
        for name in ["max_bodies_bytes"] if self.scheduler else found:
            if name not in given:
                object.__setattr__(self, name, found[name])  # bypasses the frozen model
        return self

    def _wishes(self) -> memory_budget.Wishes:
        workers, job, bodies, servers = (
            getattr(self, name) if name in self.model_fields_set else None
            for name in ("workers", "max_memory_bytes", "max_bodies_bytes", "servers")
        )
        return memory_budget.Wishes(workers, job, bodies, self.max_body_bytes, servers)

    @staticmethod
    def _machine() -> tuple[int, int | None, int]:
        return memory_budget.available_memory(), memory_budget.available_addresses(), available_cores()

    def missing_memory(self) -> str:
        """Say what this machine lacks for its workers, or nothing."""
        shares = memory_budget.Shares(self.workers, self.max_memory_bytes, self.max_bodies_bytes, self.servers)
        return memory_budget.missing(*self._machine(), shares, self.max_body_bytes)

    def check_memory(self) -> None:
        """Raise BadSettings if memory is too small for the least useful values; values that are set are kept."""
        if "max_memory_bytes" not in self.model_fields_set and (missing := self.missing_memory()):
            raise BadSettings([f"there is too little memory: {missing}"])

    def check_servers(self) -> None:
        """Raise BadSettings if there cannot be so many servers."""
        if self.scheduler is not None and self.servers > 1:
            reason = "with CONVSERVE_SCHEDULER there can only be one, which knows the whole queue"
        elif self.servers > self.workers:
            reason = f"each needs a worker, and CONVSERVE_WORKERS is {self.workers}"
        else:
            return
        raise BadSettings([f"{variable('servers')} is {self.servers}: {reason}"])

    def use_cpu(self) -> str | None:
        """Choose the processor level for this process and its children; returns its name, raises BadSettings.

        Call this before anything imports NumPy.
        """
        try:
            return levels.use(self.cpu)
        except ValueError as error:
            raise BadSettings([f"CONVSERVE_CPU is {self.cpu!r}: {error}"]) from None

    @classmethod
    def load(cls, **arguments: Any) -> Self:
        """Read the environment and `.env`; `arguments` override both. Raises BadSettings naming all faults."""
        try:
            return cls(**arguments)
        except ValidationError as error:
            raise BadSettings(_faults(error, arguments)) from None
        except (OSError, UnicodeDecodeError):
            raise BadSettings([".env cannot be read as UTF-8 text"]) from None

    def limits(self) -> Limits:
        """Return the limits that the engine checks."""
        return Limits(
            max_image_pixels=self.max_image_pixels,
            max_output_pixels=self.max_output_pixels,
            max_channels=self.max_channels,
            max_steps=self.max_steps,
            max_kernel_side=self.max_kernel_side,
            max_macs=self.max_macs,
            max_memory_bytes=self.max_memory_bytes,
        )

    def rows(self) -> list[Row]:
        """List every setting by its variable, with its value and its source; secrets are hidden."""
        sources, given = _sources(), self.model_fields_set
        return [
            Row(variable(name), self._shown(name), sources.get(name, "argument") if name in given else "default")
            for name in type(self).model_fields
        ]

    def _shown(self, name: str) -> str:
        value = getattr(self, name)
        if name == "api_keys":
            return ",".join(_HIDDEN for _ in value)
        if isinstance(value, tuple):
            return ",".join(value)
        return "" if value is None else str(value)


def variable(field: str) -> str:
    """Name the environment variable of a setting."""
    return PREFIX + field.upper()


def _sources() -> dict[str, Source]:
    """Tell which settings come from the environment and which from `.env`."""
    found: dict[str, Source] = {}
    for source, values in ((".env", DotEnvSettingsSource(Settings)()), ("env", EnvSettingsSource(Settings)())):
        for key in values:
            field = _field_of(key)
            if field is not None:
                found[field] = source  # type: ignore[assignment]
    return found


def _field_of(key: str) -> str | None:
    name = key.lower().removeprefix(PREFIX.lower())
    return name if name in Settings.model_fields else None


def _faults(error: ValidationError, arguments: dict[str, Any]) -> list[str]:
    """Put each fault into our own words: variable, value, bound; the library's message is not shown."""
    faults = dict.fromkeys(_field_of(str(fault["loc"][0])) for fault in error.errors() if fault["loc"])
    return [_fault(field, Settings.model_fields[field], arguments) for field in faults if field is not None]


def _fault(field: str, info: FieldInfo, arguments: dict[str, Any]) -> str:
    extra = info.json_schema_extra
    expects = extra["expects"] if isinstance(extra, dict) else "a value of its type"
    given = _given(field, arguments)
    name, value = given if given is not None else (variable(field), None)
    shown = "" if value is None or field == "api_keys" else f" is {str(value)[:200]!r}:"
    return f"{name}{shown} must be {expects}"


def _given(field: str, arguments: dict[str, Any]) -> tuple[str, Any] | None:
    if field in arguments:
        return variable(field), arguments[field]
    names = [variable(field)] + (["PORT"] if field == "port" else [])
    for values in (os.environ, DotEnvSettingsSource(Settings).env_vars):
        upper = {key.upper(): value for key, value in values.items() if value}
        for name in names:
            if name in upper:
                return name, upper[name]
    return None
