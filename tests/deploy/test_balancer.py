"""The real HAProxy with the project's configuration, before two replicas of which one goes away under load."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploy.resolver import resolving
from tests.live import ROOT, Live, free_port, serving
from tests.waiting import wait_until

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
ADDRESSES = ("127.0.0.2", "127.0.0.3")
CLIENTS = 8
PICTURE = (ROOT / "docs" / "pictures" / "cat.jpg").read_bytes()
JPEG = {"Content-Type": "image/jpeg"}
UP = 'haproxy_backend_active_servers{proxy="convserve"} '


@pytest.fixture(autouse=True)
def _haproxy() -> None:
    if shutil.which("haproxy") is None:
        if os.environ.get("CONVSERVE_TEST_BALANCER") == "required":
            pytest.fail("haproxy is not here: apt-get install haproxy")
        pytest.skip("haproxy is not here: apt-get install haproxy")


@contextmanager
def balancing(folder: Path, name_server: str, port: int) -> Iterator[tuple[str, str]]:
    """Run HAProxy before whatever replicas the name server names; gives the clients' address and its own."""
    clients, own = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    settings = {
        "CONVSERVE_DNS": name_server,
        "CONVSERVE_PORT": str(port),
        "BALANCER_BIND": clients,
        "BALANCER_STATS": own,
    }
    with (folder / "haproxy.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(CONFIGURATION)], env={**os.environ, **settings}, stdout=log, stderr=log
        )
    try:
        yield f"http://{clients}", f"http://{own}"
    finally:
        process.kill()
        process.wait(10)


def wait_until_up(own: str, servers: int) -> None:
    """Wait until the balancer has found so many replicas."""

    def has_found_them() -> bool:
        try:
            lines = httpx.get(f"{own}/metrics", trust_env=False).text.splitlines()
        except httpx.TransportError:
            return False
        return any(line.startswith(UP) and float(line.split()[-1]) == servers for line in lines)

    wait_until(has_found_them)


def outcomes(url: str, count: int, halfway: Callable[[], object]) -> Counter[str]:
    """Send so many requests from several clients, do something when a third is answered; counts what became of them."""
    answered = threading.Semaphore(0)
    expected = httpx.post(f"{url}/v1/filters/sobel", content=PICTURE, headers=JPEG, trust_env=False, timeout=60).content

    def send(_: int) -> str:
        status = None
        try:
            with client.stream("POST", "/v1/filters/sobel", content=PICTURE, headers=JPEG) as response:
                status = response.status_code
                return "done" if response.read() == expected else f"status {status}"
        except httpx.TransportError:
            return "lost" if status is None else "cut off while it was answered"
        finally:
            answered.release()

    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client, ThreadPoolExecutor(CLIENTS) as threads:
        sent = [threads.submit(send, number) for number in range(count)]
        for _ in range(count // 3):
            answered.acquire()
        halfway()
        return Counter(future.result() for future in sent)


def answers_of(replica: Live) -> float:
    text = httpx.get(f"{replica.url}/metrics", trust_env=False).text
    wanted = 'convserve_requests_total{method="POST",route="/v1/filters/{preset}",status="200"} '
    return sum(float(line.removeprefix(wanted)) for line in text.splitlines() if line.startswith(wanted))


def kill(replica: Live) -> None:
    replica.process.send_signal(signal.SIGKILL)
    replica.process.wait(10)


def test_no_request_is_lost_with_a_replica(tmp_path: Path) -> None:
    port = free_port()

    def start(stack: ExitStack, number: int, host: str) -> Live:
        folder = tmp_path / str(number)
        folder.mkdir()
        return stack.enter_context(serving(folder, "--port", str(port), host=host, workers=1, queue=64))

    with ExitStack() as stack:
        first, second = (start(stack, number, host) for number, host in enumerate(ADDRESSES))
        url, own = stack.enter_context(balancing(tmp_path, stack.enter_context(resolving(ADDRESSES)), port))
        wait_until_up(own, 2)

        killed = outcomes(url, 500, lambda: kill(first))
        assert killed["done"] + killed["cut off while it was answered"] == 500, killed
        assert killed["cut off while it was answered"] <= CLIENTS  # what had begun cannot be sent again
        assert 0 < answers_of(second) < 500  # the first had its share

        third = start(stack, 3, ADDRESSES[0])  # in the place of the first
        wait_until_up(own, 2)
        drained = outcomes(url, 200, lambda: second.process.send_signal(signal.SIGTERM))
        assert drained == {"done": 200}
        assert second.process.wait(30) == 0
        assert answers_of(third) > 0

        kill(third)
        refused = httpx.post(f"{url}/v1/filters/sobel", content=PICTURE, headers=JPEG, trust_env=False, timeout=60)
        assert refused.status_code == 503
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["code"] == "no_replica"


def test_metrics_are_not_for_clients(tmp_path: Path, live: Live) -> None:
    host, port = live.url.removeprefix("http://").split(":")
    with resolving([host]) as name_server, balancing(tmp_path, name_server, int(port)) as (url, own):
        wait_until_up(own, 1)
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        assert httpx.get(f"{url}/metrics", trust_env=False).json()["code"] == "not_found"
