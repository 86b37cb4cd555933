"""Run `convserve batch`, from its arguments to its exit status."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Literal

import typer

from service.backends import dispatcher_of
from service.batch import report
from service.batch.failures import Failure
from service.batch.forecast import forecast
from service.batch.progress import progress
from service.batch.run import Batch, Order, Stranded, Tally
from service.batch.sources import Item, Sources, find, shown
from service.dispatch import Dispatcher
from service.dispatch.host import become_host
from service.engine.errors import InvalidSpec
from service.engine.jobs.formats import check_settings
from service.engine.jobs.pipeline import parse_at
from service.engine.spec.spec import Spec
from service.engine.spec.strict_json import loads
from service.local import text_of
from service.settings import Settings

Form = Literal["png", "jpeg", "webp", "avif", "tiff", "npy"]

FAILED = 1
BY_SIGNAL = 128  # plus the signal's number, as in shells
AHEAD = 4
QUEUE = 16
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def batch(source: str, target: Path, spec: bytes | str, form: Form, settings: Settings, *, dry_run: bool) -> int:
    """Do or plan a batch and return the exit status; raises EngineError, RouteError, BadSettings and BadSources."""
    text = text_of(spec, settings)
    order = Order(text, isinstance(spec, str), form, settings.limits(), settings.max_body_bytes)
    parsed = _checked(order)
    found = find(source, target, f".{form}")
    todo = [item for item in found.items if not os.path.isfile(item.target)]
    skipped = len(found.items) - len(todo)
    found.items.clear()
    if dry_run:
        return _plan(todo, order, parsed, skipped, found, settings)
    return _do(todo, order, skipped, found, settings)


def _checked(order: Order) -> Spec:
    """Refuse a faulty spec once, instead of once for every file."""
    spec = parse_at(loads(order.spec), order.limits)
    if order.answer == "npy" and spec.output is not None:
        raise InvalidSpec('--format npy gives the unclipped result: "output" must be left out').at("/spec/output")
    try:
        check_settings(spec, order.answer)
    except InvalidSpec as error:
        raise error.at("/spec") from None
    return spec


def _plan(todo: Sequence[Item], order: Order, spec: Spec, skipped: int, found: Sources, settings: Settings) -> int:
    with progress(len(todo), "planning") as advance:
        whole = forecast(todo, order, spec, advance)
    whole.no_pictures += found.no_pictures
    whole.failures += found.failures
    _print(report.forecast(whole, skipped, settings.workers))
    return _print_failures(whole.failures)


def _do(todo: Sequence[Item], order: Order, skipped: int, found: Sources, settings: Settings) -> int:
    tally, status, start = Tally(0, found.no_pictures, found.failures), 0, perf_counter()
    if todo:
        become_host()
        dispatcher = dispatcher_of(
            settings.model_copy(update={"queue": max(QUEUE, settings.queue), "max_wait": math.inf}), ahead=AHEAD
        )
        with progress(len(todo), "filtering") as advance:
            status = asyncio.run(_run(todo, order, dispatcher, tally, advance))
    _print([report.summary(tally, skipped, perf_counter() - start)])
    failed = _print_failures(tally.failures)
    return status or failed


async def _run(
    todo: Sequence[Item], order: Order, dispatcher: Dispatcher, tally: Tally, advance: Callable[[], None]
) -> int:
    """Do the batch until a signal comes: the first ends it in order, a second one at once."""
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(Batch(todo, order, dispatcher, tally, advance).run())
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        work.cancel()
        for signal_number in SIGNALS:
            loop.remove_signal_handler(signal_number)

    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        await work
    except asyncio.CancelledError:
        if not received:
            raise
        return BY_SIGNAL + received[0]
    except Stranded as error:
        typer.echo(f"stopped: {error}", err=True)
        return FAILED
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return 0


def _print_failures(failures: Sequence[Failure]) -> int:
    """Print the table, and the traceback of the first defect; returns the exit status."""
    if failures:
        _print(["", *report.failures(failures)])
    if defect := next((row for row in failures if row.report), None):
        typer.echo(f"{shown(defect.source)} ran into a defect in convserve:\n{defect.report}", err=True)
    return FAILED if failures else 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
