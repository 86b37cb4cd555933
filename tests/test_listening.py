"""Which of several servers takes a connection, and which asks a client to come again."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import uvicorn

from service.connection import CONNECTIONS
from service.dispatch.board import Board, Seat
from service.listening import Balance, Listening, SharedConnection
from tests.test_server import greet
from tests.waiting import until


@pytest.fixture
def balances(tmp_path: Path) -> list[Balance]:
    """Give what three servers know that can all have work done."""
    board = Board.make(tmp_path / "board", 3)
    for number, row in enumerate(board.rows):
        row.open, row.process = 1, 1000 + number
    return [Balance(Seat(board, number)) for number in range(3)]


def spread(balances: list[Balance], *connections: int) -> None:
    for balance, count in zip(balances, connections, strict=True):
        balance.seat.row.connections = count


def turns(balances: list[Balance]) -> list[bool]:
    return [balance.is_turn() for balance in balances]


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        ((0, 0, 0), [True, True, True]),
        ((1, 0, 1), [False, True, False]),
        ((7, 8, 9), [True, False, False]),
        ((8, 9, 10), [True, True, False]),  # an eighth more than the fewest is let pass
        ((80, 90, 91), [True, True, False]),
    ],
)
def test_server_with_the_fewest_connections_takes_the_next(
    balances: list[Balance], connections: tuple[int, int, int], expected: list[bool]
) -> None:
    spread(balances, *connections)
    assert turns(balances) == expected


def test_of_servers_with_as_many_one_with_the_fewest_jobs_takes_the_next(balances: list[Balance]) -> None:
    balances[0].seat.row.jobs = 1
    assert turns(balances) == [False, True, True]


def test_servers_that_cannot_work_leave_connections_to_those_that_can(balances: list[Balance]) -> None:
    spread(balances, 0, 5, 6)
    balances[0].seat.row.open = 0
    assert turns(balances) == [False, True, False]
    for balance in balances:
        balance.seat.row.open = 0
    assert turns(balances) == [True, False, False]


def test_server_that_hangs_is_not_waited_for(balances: list[Balance]) -> None:
    spread(balances, 0, 5, 6)
    balances[1].look()
    for _ in range(2):
        balances[2].seat.row.beats += 1
        balances[1].look()
    assert balances[1].is_turn()
    balances[0].seat.row.beats += 1
    balances[1].look()
    assert not balances[1].is_turn()


@pytest.mark.parametrize(
    ("connections", "surplus"),
    [
        ((0, 0, 0), 0),
        ((1, 0, 0), 0),
        ((9, 4, 9), 0),
        ((10, 4, 10), 2),  # the mean is 8
        ((64, 0, 0), 42),  # the mean is 21 and a third
        ((3, 64, 0), 0),
    ],
)
def test_server_with_more_than_twice_as_many_as_another_has_some_to_give(
    balances: list[Balance], connections: tuple[int, int, int], surplus: int
) -> None:
    spread(balances, *connections)
    balances[0].look()
    assert balances[0].surplus == surplus


def test_each_server_has_its_part_of_the_connections(balances: list[Balance]) -> None:
    assert sum(balance.most for balance in balances) <= CONNECTIONS
    assert all(balance.most > 0 for balance in balances)


async def _served(balances: list[Balance], check: Callable[[int], object]) -> None:
    """Let servers of one process share a port, and a check in a thread use it."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listener:
        listener.settimeout(0)
        servers = []
        for balance in balances:
            config = uvicorn.Config(greet, http=SharedConnection, ws="none", lifespan="off", log_config=None)
            config.load()
            state = uvicorn.Server(config).server_state

            def make(
                config: uvicorn.Config = config, state: object = state, balance: Balance = balance
            ) -> SharedConnection:
                return SharedConnection(config=config, server_state=state, app_state={}, balance=balance)

            servers.append(Listening([listener.dup()], balance, make))
        try:
            await asyncio.to_thread(check, listener.getsockname()[1])
        finally:
            for server in servers:
                server.close()


def test_connections_go_round_and_are_counted(balances: list[Balance]) -> None:
    def check(port: int) -> None:
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert Counter(balance.seat.row.connections for balance in balances) == {3: 3}
        for client in clients:
            client.close()

    async def main() -> None:
        await _served(balances, check)
        await until(lambda: not any(balance.seat.row.connections for balance in balances))
        assert sum(balance.seat.row.taken for balance in balances) == 9

    asyncio.run(main())


def test_connection_is_taken_in_the_end_by_whoever_is_there(balances: list[Balance]) -> None:
    """The first should take it, and does not."""
    spread(balances, 0, 5, 5)

    def check(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"

    asyncio.run(_served(balances[1:], check))
    assert sum(balance.seat.row.taken for balance in balances) == 1


def test_health_check_is_answered_before_all_that_came_earlier(balances: list[Balance]) -> None:
    begun: list[int] = []

    class Noted(SharedConnection):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            begun.append(transport.get_extra_info("peername")[1])
            super().connection_made(transport)

    async def main() -> None:
        config = uvicorn.Config(greet, ws="none", lifespan="off", log_config=None)
        config.load()
        state = uvicorn.Server(config).server_state
        with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listener, ExitStack() as stack:
            listener.settimeout(0)
            clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(70)]
            for client in clients[:-1]:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            clients[-1].sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            ports = [client.getsockname()[1] for client in [clients[-1], *clients[:-1]]]
            make = partial(Noted, config=config, server_state=state, app_state={}, balance=balances[0])
            server = Listening([listener.dup()], balances[0], make)
            await until(lambda: len(begun) == len(clients))
            server.close()
        await until(lambda: not balances[0].seat.row.connections)
        assert begun == ports

    for balance in balances[1:]:
        balance.seat.row.open = 0
    asyncio.run(main())


def test_those_not_served_yet_are_let_go_with_the_listener(balances: list[Balance]) -> None:
    served: list[asyncio.BaseTransport] = []

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            served.append(transport)

    async def main() -> None:
        row = balances[0].seat.row
        with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listener, ExitStack() as stack:
            listener.settimeout(0)
            clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(70)]
            server = Listening([listener.dup()], balances[0], cast("Callable[[], SharedConnection]", Silent))
            while not row.taken:
                await asyncio.sleep(0)
            server.close()
            clients[-1].settimeout(30)
            assert await asyncio.to_thread(clients[-1].recv, 1) == b""
            await until(lambda: len(served) == row.connections)
            assert len(served) < len(clients) == row.taken
        for transport in served:
            transport.close()
        await asyncio.sleep(0)

    for balance in balances[1:]:
        balance.seat.row.open = 0
    asyncio.run(main())


def test_surplus_is_closed_with_an_answer_that_says_so(balances: list[Balance]) -> None:
    def check(port: int) -> None:
        balances[0].surplus = 1
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"connection: close" in head.lower()
        assert body == b"0"
        assert balances[0].surplus == 0

    asyncio.run(_served(balances[:1], check))
