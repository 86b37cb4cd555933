"""Hostile clients against a real server, over raw sockets: the right answers in the right order, or a closed door."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from email.message import Message

from tests.hostile.probe import measuring
from tests.hostile.protocol import talks
from tests.hostile.sending import LEAKS, log_from, open_files, resident_bytes
from tests.hostile.sockets import wire
from tests.hostile.talk import LIVEZ, Talk
from tests.live import Live


def test_there_are_enough_talks() -> None:
    assert len({talk.name for talk in talks()}) == len(talks()) >= 40


def test_every_client_gets_its_answers_or_a_closed_door(live: Live) -> None:
    before, files = resident_bytes(live.process.pid), open_files(live.process.pid)
    begin = live.log.stat().st_size
    with measuring(live.url) as health, ThreadPoolExecutor(8) as pool:
        found = [wrong for wrong in pool.map(lambda talk: _checked(live.url, talk), talks()) if wrong]
    assert not found, "\n".join(found)
    print(f"slowest /livez: {health.slowest * 1000:.1f} ms")
    assert resident_bytes(live.process.pid) - before < 400 << 20
    assert open_files(live.process.pid) - files < 50
    log = log_from(live.log, begin)
    assert "Traceback" not in log
    assert all(character.isprintable() or character == "\n" for character in log)


def _checked(url: str, talk: Talk) -> str | None:
    try:
        return _wrong(url, talk)
    except TimeoutError:
        return f"{talk.name}: an answer did not come"


def _wrong(url: str, talk: Talk) -> str | None:
    with wire(url) as line:
        line.send(talk.sent)
        last = False
        for number, expected in enumerate(talk.answers):
            got = line.answer(talk.method if number == 0 else "GET")
            if got is None:
                return None if talk.silence else f"{talk.name}: closed instead of answer {number}"
            verdict, response, content = got
            if talk.method == "HEAD" and verdict[0] != 200:
                verdict = next((other for other in expected if other[0] == verdict[0]), verdict)
            if verdict not in expected:
                return f"{talk.name}: {verdict}, expected {sorted(expected)}: {content[:300]!r}"
            if verdict[0] != 200 and content and (wrong := _form(content, response.headers)):
                return f"{talk.name}: {wrong}: {content[:500]!r}"
            if present := {name.lower() for name, _ in response.headers.items()} & (talk.without | {"x-injected"}):
                return f"{talk.name}: has the headers {present}"
            last = response.will_close or response.headers.get("Connection", "").lower() == "close"
        if last:
            return None if line.closed() else f"{talk.name}: goes on after its last answer"
        return _goes_on(talk, url)


def _form(content: bytes, fields: Message) -> str | None:
    problem = json.loads(content)
    if fields["Content-Type"] != "application/problem+json" or fields["X-Content-Type-Options"] != "nosniff":
        return "is no problem in form"
    missing = {"type", "title", "status", "detail", "instance", "code", "request_id"} - problem.keys()
    if missing or problem["request_id"] != fields["X-Request-ID"]:
        return f"lacks {missing}"
    own = json.dumps(problem | {"instance": ""})  # the instance is the client's own path
    leaks = [leak for leak in LEAKS if leak in own]
    return f"tells {leaks}" if leaks else None


def _goes_on(talk: Talk, url: str) -> str | None:
    """Check that a connection that was not closed serves the next request, and that a new one does."""
    if len(talk.answers) == 1:
        with wire(url) as line:
            line.send(talk.sent + LIVEZ)
            line.answer(talk.method)
            after = line.answer()
            if after is not None and after[0] != (200, ""):
                return f"{talk.name}: the next request on the connection gets {after[0]}"
    return None
