"""Choose who does the work: worker processes on this machine, or a cluster."""

from __future__ import annotations

from functools import partial

from service.dispatch import Dispatcher
from service.dispatch.board import Seat
from service.dispatch.compiling import Compiling, Following
from service.dispatch.whole import progress_of
from service.dispatch.worker_pool import WorkerPool
from service.settings import BadSettings, Settings

SCHEDULER = "CONVSERVE_SCHEDULER"


def dispatcher_of(settings: Settings, seat: Seat | None = None, *, ahead: int = 1) -> Dispatcher:
    """Make the dispatcher that the settings name; raises BadSettings if it cannot be used, or cannot work.

    With the board of `seat` it gets its share of the workers, and the first server's dispatcher compiles for all.
    `ahead` is the number of jobs sent at once per thread of a cluster.
    """
    seat = seat or Seat.alone()
    if settings.scheduler is not None:
        return _cluster(settings.scheduler, settings, ahead)
    settings.check_memory()
    return WorkerPool(
        workers=seat.share(settings.workers),
        queue=settings.queue,
        deadline=settings.deadline,
        max_wait=settings.max_wait,
        grace=settings.grace,
        max_memory_bytes=settings.max_memory_bytes,
        compile_when=settings.compile,
        compiling=partial(Following, look=partial(progress_of, seat.board.rows[0])) if seat.number else Compiling,
        level=settings.use_cpu(),
        seat=seat,
    )


def _cluster(address: str, settings: Settings, ahead: int) -> Dispatcher:
    try:
        from service.dispatch import cluster  # noqa: PLC0415 (an extra, and slow to import)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(("dask", "distributed")):
            raise
        raise BadSettings(
            [f"{SCHEDULER} is {address!r}: Dask is not installed here; pip install 'convserve[dask]' brings it"]
        ) from None
    try:
        cluster.check(address)
    except cluster.Unreachable as error:
        raise BadSettings([f"{SCHEDULER} is {address!r}: {error}"]) from None
    return cluster.Cluster(
        address,
        queue=settings.queue,
        deadline=settings.deadline,
        max_wait=settings.max_wait,
        grace=settings.grace,
        max_memory_bytes=settings.max_memory_bytes,
        ahead=ahead,
    )
