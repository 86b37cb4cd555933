"""Too much work, clients that go away, workers that die, signals: nothing is lost, nobody waits in vain."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import connection
from service.dispatch.errors import QueueFull
from service.dispatch.worker_pool import WorkerPool
from service.engine.codecs import ImageInfo
from service.engine.jobs import Job, pipeline
from service.engine.jobs.pipeline import KEPT_PLANS, perform
from service.engine.jobs.plan import Plan
from service.engine.jobs.prepare import prepare as prepared
from service.engine.machine.limits import Limits
from service.engine.spec.spec import Spec
from service.routes.room import Room
from service.routes.sample import SAMPLE_PNG
from tests.connections import Clock, Counted, until_closed, with_connection
from tests.dispatch.tasks import obey, order
from tests.engine.codecs.samples import npy
from tests.hostile.probe import measuring
from tests.hostile.sending import RAW, client, open_files, read
from tests.hostile.sockets import Wire, wire
from tests.hostile.talk import SPEC, TARGET, post, request
from tests.live import Live, serving
from tests.processes import one_processor, stopped, workers_of
from tests.waiting import PATIENCE, until, wait_until

LONG = {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 2}, "method": "richardson_lucy", "iterations": 1000}
FIELD = np.full((1500, 1500), 7, np.uint8)
ENDLESS = npy(FIELD)
"""With LONG a minute of one processor's work; the deadline ends it before."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Give a server of one worker on one processor, a queue of two and a deadline of six seconds."""
    folder, most = tmp_path_factory.mktemp("small"), 8_000_000
    with (
        one_processor(),
        serving(folder, workers=1, queue=2, deadline=6, max_body_bytes=most, max_macs=1e15) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Give a server of one worker, which a test may end."""
    with serving(tmp_path_factory.mktemp("other"), workers=1, grace=25) as server:
        yield server


def metric(url: str, name: str) -> float:
    """Read a metric, summed over its labels."""
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def idle(url: str) -> bool:
    """Tell whether the worker is there, and free."""
    counts = [metric(url, f"convserve_{name}") for name in ("jobs_running", "jobs_queued", "workers")]
    return counts == [0, 0, 1]


def long_job(body: bytes = ENDLESS) -> bytes:
    target = f"/v1/filter?spec={httpx.QueryParams({'s': json.dumps(LONG)})['s']}"
    return post("Content-Type: application/x-npy", body=body, target=str(httpx.URL(target).raw_path, "ascii"))


def busy(url: str, jobs: int = 1) -> bool:
    return metric(url, "convserve_jobs_running") + metric(url, "convserve_jobs_queued") == jobs


def test_full_queue_refuses_before_the_body_is_sent_and_health_goes_on(small: Live) -> None:
    with measuring(small.url) as health, wire(small.url) as first, wire(small.url) as second, wire(small.url) as third:
        for number, line in enumerate((first, second, third)):
            line.send(long_job())
            wait_until(lambda jobs=number + 1: busy(small.url, jobs))  # type: ignore[misc]
        assert httpx.get(f"{small.url}/readyz", trust_env=False).status_code == 503
        with wire(small.url) as late:
            late.send(request("POST", TARGET, "Content-Type: image/png", "Content-Length: 7000000"))
            answer = late.answer()
        assert answer is not None
        assert answer[0] == (429, "queue_full")
        assert int(answer[1].headers["Retry-After"]) >= 1
        for line in (first, second, third):
            answer = line.answer()
            assert answer is not None
            assert answer[0] == (504, "deadline_exceeded")
    print(f"slowest /livez: {health.slowest * 1000:.1f} ms")
    wait_until(lambda: idle(small.url))
    assert httpx.get(f"{small.url}/readyz", trust_env=False).status_code == 200


def _leave_while_uploading(line: Wire, url: str) -> None:
    fields = "Content-Type: image/png", "Content-Length: 1000000", "Expect: 100-continue"
    line.socket.sendall(request("POST", TARGET, *fields))
    assert line.socket.recv(1000).startswith(b"HTTP/1.1 100 ")  # the body is being read
    line.socket.sendall(bytes(1000))


def _leave_while_it_is_computed(line: Wire, url: str) -> None:
    line.socket.sendall(long_job())
    wait_until(lambda: busy(url))


def _leave_while_the_answer_comes(line: Wire, url: str) -> None:
    target = TARGET + "&a="
    data = npy(np.zeros((1900, 1900), np.uint8))
    line.socket.sendall(post("Content-Type: application/x-npy", "Accept: application/x-npy", body=data, target=target))
    assert line.socket.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "leave",
    [_leave_while_uploading, _leave_while_it_is_computed, _leave_while_the_answer_comes],
    ids=lambda f: f.__name__,
)
def test_client_that_goes_away_frees_its_worker(small: Live, leave: Callable[[Wire, str], None]) -> None:
    wait_until(lambda: idle(small.url))
    before = open_files(small.process.pid)
    for _ in range(3):
        with wire(small.url) as line:
            leave(line, small.url)
        wait_until(lambda: idle(small.url))
    answer = httpx.post(
        f"{small.url}/v1/filter", params={"spec": SPEC}, content=SAMPLE_PNG, headers=RAW, trust_env=False
    )
    assert answer.status_code == 200
    wait_until(lambda: open_files(small.process.pid) <= before + 5)


def test_client_that_goes_away_while_waiting_gives_up_its_place(small: Live) -> None:
    wait_until(lambda: idle(small.url))
    with wire(small.url) as first:
        first.send(long_job())
        wait_until(lambda: busy(small.url))
        with wire(small.url) as second:
            second.send(long_job())
            wait_until(lambda: busy(small.url, 2))
        wait_until(lambda: busy(small.url))
        assert first.answer() is not None
    wait_until(lambda: idle(small.url))


def test_small_jobs_do_not_wait_behind_large_ones(other: Live) -> None:
    """One worker, twelve large bodies, and small ones that come last: the small ones are not the last to be served."""
    large = npy(np.random.default_rng(1).integers(0, 255, (1200, 1200), np.uint8))
    spec = json.dumps({"op": "blur", "sigma": 20})

    async def main(url: str) -> list[str]:
        done: list[str] = []
        async with client(url, 20) as http:

            async def send(name: str, body: bytes) -> None:
                answer = read(await http.post("/v1/filter", params={"spec": spec}, content=body, headers=RAW))
                assert answer.status == 200
                done.append(name)

            async with asyncio.TaskGroup() as group:
                with stopped(workers_of(other.process.pid)):
                    for _ in range(12):
                        group.create_task(send("large", large))
                    await until(lambda: busy(url, 12))
                    for _ in range(3):
                        group.create_task(send("small", SAMPLE_PNG))
                    await until(lambda: busy(url, 15))
        return done

    order_of_answers = asyncio.run(main(other.url))
    assert order_of_answers[-1] == "large"
    assert order_of_answers.index("small") < 11


def test_three_hundred_small_pictures_at_once_are_all_taken(other: Live) -> None:
    async def main(url: str) -> list[int]:
        async with client(url, 300) as http:

            async def send() -> int:
                return (
                    await http.post("/v1/filter", params={"spec": SPEC}, content=SAMPLE_PNG, headers=RAW)
                ).status_code

            with stopped(workers_of(other.process.pid)):
                sending = [asyncio.create_task(send()) for _ in range(300)]
                await until(lambda: busy(url, 300))
            return await asyncio.gather(*sending)

    with measuring(other.url) as health:
        assert asyncio.run(main(other.url)) == [200] * 300
    print(f"slowest /livez: {health.slowest * 1000:.1f} ms")


def test_large_pictures_that_would_wait_too_long_are_refused_before_they_are_sent(other: Live) -> None:
    """As early as a queue of sixteen for each worker refused them, and small ones are taken nevertheless."""
    large = npy(np.zeros((2000, 2000), np.uint8))
    with ExitStack() as lines:
        with stopped(workers_of(other.process.pid)):
            taken = []
            while not (late := _too_late(other.url, len(large))):
                taken.append(lines.enter_context(wire(other.url)))
                taken[-1].send(post("Content-Type: application/x-npy", body=large))
                wait_until(lambda: busy(other.url, len(taken)))
            assert late >= 1
            assert 2 <= len(taken) <= 17
            small = lines.enter_context(wire(other.url))
            small.send(post("Content-Type: image/png", body=SAMPLE_PNG))
            wait_until(lambda: busy(other.url, len(taken) + 1))
        for line in (*taken, small):
            answer = line.answer()
            assert answer is not None
            assert answer[0] == (200, "")


def _too_late(url: str, size: int) -> int:
    """Give the Retry-After of a request whose head alone is sent, or 0 where its body is waited for."""
    with wire(url) as line:
        fields = "Content-Type: image/png", f"Content-Length: {size}", "Expect: 100-continue"
        line.socket.sendall(request("POST", TARGET, *fields))
        head = line.socket.recv(10_000)
    if head.startswith(b"HTTP/1.1 100 "):
        return 0
    assert head.startswith(b"HTTP/1.1 429 ")
    found = re.search(rb"\r\nRetry-After: (\d+)\r\n", head, re.IGNORECASE)
    assert found
    return int(found[1])


def test_killed_workers_cost_no_request(live: Live) -> None:
    """Workers are killed while sixteen clients work; whoever asks is answered rightly, as before."""
    chance = random.Random(7)
    noise = npy(np.random.default_rng(2).integers(0, 255, (500, 500, 3), np.uint8))
    spec = json.dumps({"op": "blur", "sigma": 6})
    before = metric(live.url, "convserve_worker_restarts_total")

    async def main() -> set[bytes]:
        answers: set[bytes] = set()
        async with client(live.url, 16) as http:
            answered = killed = 0

            async def work() -> None:
                nonlocal answered, killed
                for _ in range(6):
                    answer = read(await http.post("/v1/filter", params={"spec": spec}, content=noise, headers=RAW))
                    assert answer.status == 200, answer
                    answers.add(answer.content)
                    answered += 1
                    if answered >= 10 * (killed + 1):
                        killed += kill_one(live.process.pid, chance)

            await asyncio.gather(*(work() for _ in range(16)))
            assert killed > 0
        return answers

    assert len(asyncio.run(main())) == 1
    assert metric(live.url, "convserve_worker_restarts_total") > before
    wait_until(lambda: metric(live.url, "convserve_workers") == 2)


def kill_one(server: int, chance: random.Random) -> int:
    """Kill one of the server's workers, if there is one; tells how many."""
    workers = workers_of(server)
    if workers:
        try:
            os.kill(chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return 0
    return min(1, len(workers))


def test_memory_that_a_worker_keeps_is_given_back() -> None:
    async def main() -> None:
        pool = WorkerPool(1, 16, 20, 5, 256 << 20, obey, bytes_per_worker=-1)
        await pool.start()
        try:
            await until(lambda: pool.status().ready, 300)
            assert [bytes((await pool.run(order(b"echo"))).body) for _ in range(3)] == [b"echo"] * 3
            assert pool.status().restarts.keys() == {"memory"}
        finally:
            await pool.stop()

    asyncio.run(main())


def test_there_is_room_for_so_many_bytes_and_no_more() -> None:
    room = Room(2500, WorkerPool(1, 1, 1, 1, 1).refusal)
    with room.upload(0) as first:
        first.grow(1500)
        with room.answer(500), room.upload(0) as second, pytest.raises(QueueFull) as refusal:
            second.grow(501)
        assert refusal.value.retry_after >= 1
        with room.upload(0) as third:
            third.grow(1000)
        assert room.held == 1500
    assert room.held == 0


def test_plans_that_are_kept_are_few_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[str] = []

    def prepare(info: ImageInfo, spec: Spec, limits: Limits, answer: Any) -> Plan:
        planned.append(spec.steps[0].op)
        return prepared(info, spec, limits, answer)

    monkeypatch.setattr(pipeline, "prepare", prepare)
    blurs = [_job({"op": "blur", "method": "box", "size": size}) for size in range(1, KEPT_PLANS + 2)]
    for blur in blurs:
        perform(blur, 1)
    assert planned == ["blur"] * len(blurs)
    for blur in blurs[1:]:  # all but the first are kept
        perform(blur, 1)
    assert len(planned) == len(blurs)
    perform(blurs[0], 1)
    assert len(planned) == len(blurs) + 1
    large = _job({"op": "depthwise", "kernels": [{"name": "box", "size": 250}] * 3, "padding": "same"})
    for _ in range(2):
        perform(large, 1)
    assert planned[-2:] == ["depthwise"] * 2


def _job(spec: dict[str, Any]) -> Job:
    return Job("filter", SAMPLE_PNG, Limits(), 0.0, form="image", spec=json.dumps(spec).encode())


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without having read the body."""
    await Response(b"no", 404)(scope, receive, send)


def test_client_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has no end: whatever the buffers between hold, they are full some time."""
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.2)
    let_go = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer() -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
                await asyncio.sleep(0)

        answering = asyncio.create_task(answer())
        while (await receive())["type"] != "http.disconnect":
            pass
        answering.cancel()
        let_go.set()

    def check(port: int, _: Clock) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert let_go.wait(PATIENCE)

    with_connection(check, endless)


def test_body_that_was_fast_once_is_not_waited_for_ever() -> None:
    counted = Counted()

    def check(port: int, clock: Clock) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
            line.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + bytes(5_000_000))
            counted.wait_for(5_000_000)
            assert until_closed(line, clock, connection.BODY_SECONDS).startswith(b"HTTP/1.1 408 ")

    with_connection(check, counted)


def test_rest_of_a_body_that_was_answered_is_not_waited_for() -> None:
    def check(port: int, clock: Clock) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
            line.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nx")
            assert _answer(line).startswith(b"HTTP/1.1 404 ")
            assert until_closed(line, clock, connection.BODY_SECONDS) == b""

    with_connection(check, deaf)


def test_empty_lines_do_not_keep_a_connection() -> None:
    def check(port: int, clock: Clock) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _answer(line).startswith(b"HTTP/1.1 404 ")
            line.sendall(b"\r\n")
            assert until_closed(line, clock, connection.HEAD_SECONDS) == b""

    with_connection(check, deaf)


def _answer(line: socket.socket) -> bytes:
    """Read what `deaf` answers."""
    answer = b""
    while not answer.endswith(b"no"):
        piece = line.recv(65536)
        assert piece
        answer += piece
    return answer


def test_idle_connections_make_way_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "most_connections", lambda: 5)

    def check(port: int, _: Clock) -> None:
        idle_ones = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(20)]
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 404 ")
        for one in idle_ones:
            one.close()

    with_connection(check, deaf)


def test_signal_during_work_loses_nothing_that_was_accepted(other: Live) -> None:
    """The worker is stopped until the signal has been obeyed, so that all three jobs are there when it comes."""
    target = str(httpx.URL("/v1/filter", params={"spec": json.dumps(LONG | {"iterations": 10})}).raw_path, "ascii")
    wires = [socket.create_connection(("127.0.0.1", httpx.URL(other.url).port or 0), PATIENCE) for _ in range(4)]
    lines = [Wire(connected) for connected in wires]
    wait_until(lambda: idle(other.url))
    with stopped(workers_of(other.process.pid)):
        for line in lines[:3]:
            line.send(post("Content-Type: application/x-npy", body=npy(FIELD[:500, :500]), target=target))
        wait_until(lambda: busy(other.url, 3))
        other.process.send_signal(signal.SIGTERM)
        wait_until(lambda: httpx.get(f"{other.url}/readyz", trust_env=False).status_code == 503)
        assert httpx.get(f"{other.url}/livez", trust_env=False).status_code == 200
        lines[3].send(post("Content-Type: image/png"))
        late = lines[3].answer()
        assert late is not None
        assert late[0] == (503, "shutting_down")
        assert int(late[1].headers["Retry-After"]) >= 1
    answers = [line.answer() for line in lines[:3]]
    assert [answer[0] for answer in answers if answer] == [(200, "")] * 3
    assert other.process.wait(PATIENCE) == 0
    for connected in wires:
        connected.close()
