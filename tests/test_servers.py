"""Several servers are one service: its port, its figures, its readiness, its end; and one of them may be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.routes.sample import SAMPLE_PNG
from tests.live import Live, serving
from tests.processes import children, gone, servers_of, stopped, workers_of
from tests.test_start import begun, compilers, ready
from tests.test_start import loops as loops  # noqa: PLC0414 -- a fixture
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
RAW = {"Content-Type": "image/png"}
SPEC = {"spec": json.dumps({"op": "blur", "sigma": 2})}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Give two servers with a worker each."""
    with serving(tmp_path_factory.mktemp("two"), servers=2, workers=2) as service:
        yield service


def figure(service: Live, name: str, **labels: object) -> float:
    """Read one figure of /metrics, 0 where there is none yet."""
    written = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    line = "^" + re.escape(name + (f"{{{written}}}" if written else "")) + r" (\S+)$"
    found = re.search(line, httpx.get(f"{service.url}/metrics", trust_env=False).text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def connections(service: Live, servers: int = 2) -> list[float]:
    return [figure(service, "convserve_connections", server=number) for number in range(servers)]


def jobs(service: Live) -> float:
    return figure(service, "convserve_jobs_running") + figure(service, "convserve_jobs_queued")


def filtered(service: Live) -> int:
    return httpx.post(
        f"{service.url}/v1/filter", params=SPEC, content=SAMPLE_PNG, headers=RAW, timeout=PATIENCE, trust_env=False
    ).status_code


@contextmanager
def kept(service: Live, count: int) -> Iterator[list[HTTPConnection]]:
    """Open connections, one after the other, and have each answered once."""
    address = urlsplit(service.url)
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
            stack.callback(connection.close)
            assert alive(connection)
            opened.append(connection)
        yield opened


def alive(connection: HTTPConnection) -> bool:
    """Ask on a kept connection, or a new one where the server asked to close it; False where it was cut."""
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().read() == b'{"status":"alive"}'
    except (ConnectionError, OSError):
        connection.close()
        return False


def test_connections_are_spread(two: Live) -> None:
    with kept(two, 64):
        wait_until(lambda: sum(connections(two)) >= 64)
        counts = connections(two)
        assert max(counts) <= 2 * min(counts)
    wait_until(lambda: sum(connections(two)) <= 2)


def test_metrics_are_those_of_all_whoever_answers(two: Live) -> None:
    def requests() -> float:
        return figure(two, "convserve_requests_total", method="GET", route="/livez", status=200)

    with kept(two, 10) as opened:
        wait_until(lambda: min(connections(two)) >= 5)
        for connection in opened:  # whoever is asked tells the others what it has counted until then
            connection.request("GET", "/metrics")
            connection.getresponse().read()
        before, sent = requests(), figure(two, "convserve_bytes_out_total", route="/livez")
        assert all(alive(connection) for connection in opened)

        def counted() -> float:
            return requests() - before

        wait_until(lambda: counted() == 10)
        assert [counted() for _ in range(4)] == [10] * 4
        assert figure(two, "convserve_bytes_out_total", route="/livez") == sent + 10 * len(b'{"status":"alive"}')
    assert figure(two, "convserve_workers") == 2
    assert figure(two, "convserve_servers") == 2
    seconds = figure(two, "process_cpu_seconds_total")
    assert seconds > 0


def test_readiness_and_limits_are_those_of_the_whole_service(two: Live) -> None:
    for _ in range(4):
        document = httpx.get(f"{two.url}/readyz", trust_env=False).json()
        assert (document["status"], document["workers"]) == ("ready", 2)
        limits = httpx.get(f"{two.url}/v1/limits", trust_env=False).json()
        assert limits["workers"]["value"] == 2


def test_log_lines_carry_the_server(two: Live) -> None:
    with kept(two, 4) as opened:
        for connection in opened:
            connection.request("GET", "/version")
            connection.getresponse().read()

    def logged() -> set[str]:
        lines = two.log.read_text(encoding="utf-8").splitlines()
        return {line.rpartition(" server=")[2] for line in lines if "route=/version" in line}

    wait_until(lambda: logged() == {"0", "1"})


def test_killed_server_costs_its_own_connections_and_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, servers=2, workers=2) as service, kept(service, 8) as opened:

        def answered() -> float:
            return figure(service, "convserve_requests_total", method="POST", route="/v1/filter", status=200)

        assert filtered(service) == 200
        wait_until(lambda: answered() == 1)
        before = servers_of(service.process.pid)
        family = children(before[0])
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: all(gone(pid) for pid in family))
        cut = [connection for connection in opened if not alive(connection)]
        assert len(cut) == 4
        assert filtered(service) == 200
        wait_until(lambda: len(servers_of(service.process.pid)) == 2)
        wait_until(lambda: httpx.get(f"{service.url}/readyz", trust_env=False).status_code == 200)
        assert before[1] in servers_of(service.process.pid)
        assert before[0] not in servers_of(service.process.pid)
        assert len(workers_of(service.process.pid)) == 2
        assert figure(service, "convserve_server_restarts_total") == 1
        wait_until(lambda: answered() == 2)
    assert "server_lost" in service.log.read_text(encoding="utf-8")


def test_server_that_takes_the_place_of_another_gets_its_part_of_kept_connections(tmp_path: Path) -> None:
    with serving(tmp_path, servers=2, workers=2) as service, kept(service, 16) as opened:
        killed = servers_of(service.process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: gone(killed))
        for connection in opened:  # those that were cut find the server that is left
            alive(connection) or alive(connection)

        def spread() -> bool:
            assert all(alive(connection) for connection in opened)  # none is cut in the middle
            counts = connections(service)
            return max(counts) <= 2 * min(counts) + 1

        wait_until(spread)


def test_signal_drains_all_servers(tmp_path: Path) -> None:
    with serving(tmp_path, servers=2, workers=2) as service, ThreadPoolExecutor(2) as clients:
        family = children(service.process.pid)
        with stopped(workers_of(service.process.pid)):
            answers = [clients.submit(filtered, service) for _ in range(2)]
            wait_until(lambda: jobs(service) == 2)
            service.process.send_signal(signal.SIGTERM)
            wait_until(lambda: httpx.get(f"{service.url}/readyz", trust_env=False).status_code == 503)
            for server in servers_of(
                service.process.pid
            ):  # as systemd does, which sends it to every process of the service
                os.kill(server, signal.SIGTERM)
            assert filtered(service) == 503
        assert [answer.result() for answer in answers] == [200, 200]
        assert service.process.wait(PATIENCE) == 0
        wait_until(lambda: all(gone(pid) for pid in family))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0), 1)
    assert "Traceback" not in service.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("servers", [1, 2])
def test_second_signal_ends_all_servers_at_once(tmp_path: Path, servers: int) -> None:
    with serving(tmp_path, servers=servers, workers=2, grace=1000) as service, ThreadPoolExecutor(1) as clients:
        family = children(service.process.pid)
        with stopped(workers_of(service.process.pid)):
            answer = clients.submit(filtered, service)
            wait_until(lambda: jobs(service) == 1)
            service.process.send_signal(signal.SIGTERM)
            wait_until(lambda: httpx.get(f"{service.url}/readyz", trust_env=False).status_code == 503)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(PATIENCE) == 0
        assert answer.exception() or answer.result() != 200
        wait_until(lambda: all(gone(pid) for pid in family))


def test_all_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, servers=2, workers=2) as service:
        family = children(service.process.pid)
        assert len(family) >= 6
        service.process.kill()
        wait_until(lambda: all(gone(pid) for pid in family))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_obeyed_while_servers_start(tmp_path: Path, number: signal.Signals) -> None:
    with begun(tmp_path, servers=2, workers=2) as service:
        wait_until(lambda: len(servers_of(service.process.pid)) == 2)
        family = children(service.process.pid)
        service.process.send_signal(number)
        assert service.process.wait(PATIENCE) == 0
        wait_until(lambda: all(gone(pid) for pid in family))
    assert "Traceback" not in service.log.read_text(encoding="utf-8")


def test_one_server_compiles_for_all(tmp_path: Path, loops: object) -> None:
    assert callable(loops)
    with begun(tmp_path, servers=2, workers=2, compile="before") as service:
        wait_until(lambda: "compiling the loops: 0 of 10" in ready(service)[1].get("detail", ""))
        assert len(compilers(service.process.pid)) == 1
        loops("7 10")
        wait_until(lambda: "compiling the loops: 7 of 10" in ready(service)[1].get("detail", ""))
        assert ready(service)[0] == 503
        assert len(compilers(service.process.pid)) == 1
        loops("10 10")
        wait_until(lambda: ready(service)[0] == 200)
        for _ in range(4):
            assert ready(service)[1]["engine"]["compiled"] == 1


def test_address_in_use_ends_the_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with (
            pytest.raises(AssertionError, match="ended before it was ready"),
            serving(tmp_path, "--port", port, servers=2, workers=2),
        ):
            pass
    with suppress(FileNotFoundError):
        assert "not_listening" in (tmp_path / "server.log").read_text(encoding="utf-8")


def test_more_servers_than_workers_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="CONVSERVE_SERVERS is 3: each needs a worker, and CONVSERVE_WORKERS is 2"),
        serving(tmp_path, servers=3, workers=2),
    ):
        pass
