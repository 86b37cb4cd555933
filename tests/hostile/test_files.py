"""Hostile files against a real server: each is answered rightly or refused by its code, and nobody else notices."""

from __future__ import annotations

import asyncio

from tests.hostile.case import File
from tests.hostile.files import hostile, sound
from tests.hostile.sending import (
    Health,
    all_at_once,
    client,
    log_from,
    open_files,
    resident_bytes,
    send_file,
    while_measuring,
)
from tests.live import Live


def test_there_are_hundreds_of_files_and_the_same_each_time() -> None:
    files = hostile()
    assert len({file.name for file in files}) == len(files) >= 300
    hostile.cache_clear()
    assert hostile() == files


def test_every_file_is_answered_rightly_or_refused_by_its_code(live: Live) -> None:
    before = resident_bytes(live.process.pid)
    begin = live.log.stat().st_size
    files = open_files(live.process.pid)
    found, health = asyncio.run(_send_all(live))
    assert not found, "\n".join(found)
    print(f"slowest /livez: {health.slowest * 1000:.1f} ms")
    assert resident_bytes(live.process.pid) - before < 400 << 20
    assert open_files(live.process.pid) - files < 50
    assert "Traceback" not in log_from(live.log, begin)


async def _send_all(live: Live) -> tuple[list[str], Health]:
    async with client(live.url) as http:
        like = {name: (await send_file(http, data)).content for name, data in sound().items()}

        async def send(file: File) -> str | None:
            answer = await send_file(http, file.data)
            if answer.verdict not in file.expected:
                return f"{file.name}: {answer.verdict}, expected {sorted(file.expected)}: {answer.content[:300]!r}"
            if answer.status == 200 and file.like and answer.content != like[file.like]:
                return f"{file.name}: answered otherwise than {file.like}"
            return None

        return await while_measuring(live.url, all_at_once(hostile(), send))
