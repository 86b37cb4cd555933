"""The OpenAPI document against the real server: whatever fits the schema, or does not, is answered as it says."""

from __future__ import annotations

import os

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig

from tests.live import Live

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "8"))
"""For each operation of the API; `make soak` takes more."""


def test_api_does_what_its_document_says(live: Live) -> None:
    pass
