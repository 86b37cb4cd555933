"""Hostile specs against a real server: each is refused by its code, most with the place, and none is a 5xx."""

from __future__ import annotations

import asyncio
import json

import httpx

from service.routes.sample import SAMPLE_PNG
from tests.hostile.case import Document
from tests.hostile.sending import Health, all_at_once, client, log_from, read, resident_bytes, while_measuring
from tests.hostile.specs import hostile
from tests.live import Live


def test_there_are_hundreds_of_specs_and_the_same_each_time() -> None:
    specs = hostile()
    assert len({spec.name for spec in specs}) == len(specs) >= 300
    hostile.cache_clear()
    assert hostile() == specs


def test_every_spec_is_refused_by_its_code_and_place(live: Live) -> None:
    before = resident_bytes(live.process.pid)
    begin = live.log.stat().st_size
    found, health = asyncio.run(_send_all(live, hostile()))
    assert not found, "\n".join(found)
    print(f"slowest /livez: {health.slowest * 1000:.1f} ms")
    assert resident_bytes(live.process.pid) - before < 400 << 20
    assert "Traceback" not in log_from(live.log, begin)


async def _send_all(live: Live, specs: tuple[Document, ...]) -> tuple[list[str], Health]:
    async with client(live.url) as http:

        async def send(spec: Document) -> str | None:
            return await _wrong(http, spec)

        return await while_measuring(live.url, all_at_once(specs, send))


async def _wrong(http: httpx.AsyncClient, spec: Document) -> str | None:
    form = {"image": ("a.png", SAMPLE_PNG, "image/png"), "spec": ("spec.json", spec.text, "application/json")}
    answer = read(await http.post("/v1/filter", files=form))
    told = f"{spec.name}: {answer.verdict}: {answer.content[:300]!r}"
    if answer.verdict not in spec.expected:
        return f"{told}, expected {sorted(spec.expected)}"
    if spec.pointer is not None:
        places = [fault["pointer"] for fault in json.loads(answer.content).get("errors", [])]
        if spec.pointer not in places:
            return f"{told}, places {places}, expected {spec.pointer}"
    return None
