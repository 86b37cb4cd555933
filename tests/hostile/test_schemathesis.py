"""The OpenAPI document against the real server: whatever fits the schema, or does not, is answered as it says."""

from __future__ import annotations

import os
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from tests.live import Live

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "10"))
"""For each address and method; `make soak` takes more."""
NAMES = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def test_api_does_what_its_document_says(live: Live) -> None:
    schema = schemathesis.openapi.from_dict(httpx.get(f"{live.url}/openapi.json", trust_env=False).json())
    checks: list[Any] = CHECKS.get_by_names(NAMES)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @given(case=right | wrong)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Case[Any]) -> None:
            case.call_and_validate(base_url=live.url, checks=checks, session=session)

        with requests.Session() as session:
            check()
        tried += 1
    assert tried >= 15
