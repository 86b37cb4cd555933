"""Find how much memory the service may use, and share out what the settings leave open."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from service.engine.machine.cgroups import ROOT, bounds
from service.engine.machine.limits import Limits

if sys.platform != "win32":
    import resource

MIB = 1 << 20
BASE_BYTES = 176 * MIB
"""Memory of a server and its fork server, including the engine that its workers share."""
CORES_PER_SERVER = 8
"""One server keeps four workers busy with pictures of 256x256, and seven with 512x512."""
WORKER_BYTES = 24 * MIB
"""A worker's own memory besides its job and its body: 14 MiB, and loops that are loaded later."""
WORKER_ADDRESSES = 768 * MIB
"""Address space that the engine alone takes in a worker: 480 MiB, and some for loops that are loaded later."""
THREAD_ADDRESSES = 160 * MIB
"""Address space of one thread: its stack, and the heap that glibc reserves for it."""
LEAST_JOB_BYTES = 64 * MIB
"""With less, hardly any photograph could be processed."""
ROOMY_JOB_BYTES = 512 * MIB
"""A job gets at least this much, if need be with fewer workers than cores; a job can use several cores."""
MOST_BODIES_BYTES = 512 * MIB
LARGEST_BODIES = 4
"""Number of largest bodies that must fit, whatever their bound, if memory is not short."""
SHORT_BODIES = 2
"""The same if memory is short."""
UNKNOWN = 1 << 62


class Wishes(NamedTuple):
    """The settings; None leaves a value open. Bytes of a job, of all bodies, of one body; servers for connections."""

    workers: int | None
    job: int | None
    bodies: int | None
    body: int
    servers: int | None = 1


class Shares(NamedTuple):
    """Number of workers, bytes of each worker's job, bytes of all bodies and answers together, number of servers."""

    workers: int
    job: int
    bodies: int
    servers: int = 1

    def total(self, body: int) -> int:
        """Count the bytes that the whole service may use."""
        return self.servers * BASE_BYTES + self.bodies + self.workers * (WORKER_BYTES + body + self.job)


def share_out(memory: int, addresses: int | None, cores: int, wishes: Wishes) -> Shares:
    """Share out `memory` bytes, if a process may have `addresses` bytes of address space (None: any number).

    Values that are set stay; the others are at least the smallest useful ones; `missing` tells whether all fit. There
    is a server per `CORES_PER_SERVER` cores, but further servers may cost at most one worker in all.
    """
    if wishes.servers is not None:
        return _share_out(memory, addresses, cores, wishes, wishes.servers)
    one = _share_out(memory, addresses, cores, wishes, 1)
    for servers in range(min(cores // CORES_PER_SERVER, one.workers), 1, -1):
        shares = _share_out(memory, addresses, cores, wishes, servers)
        roomy = shares.job >= min(one.job, ROOMY_JOB_BYTES) and shares.workers >= one.workers - 1
        if roomy and shares.total(wishes.body) <= memory:
            return shares
    return one


def _share_out(memory: int, addresses: int | None, cores: int, wishes: Wishes, servers: int) -> Shares:
    body, base = wishes.body, servers * BASE_BYTES
    most = max(MOST_BODIES_BYTES, LARGEST_BODIES * body)
    bodies = wishes.bodies or min(most, max(SHORT_BODIES * body, (memory - base) // 8))
    free = memory - base - bodies
    job = wishes.job or Limits.max_memory_bytes
    if addresses is not None:
        job = wishes.job or min(job, addresses - WORKER_ADDRESSES - cores * THREAD_ADDRESSES)
    each = WORKER_BYTES + body + (wishes.job or min(job, ROOMY_JOB_BYTES))
    workers = wishes.workers or max(servers, min(cores, free // each))
    job = wishes.job or max(LEAST_JOB_BYTES, min(job, free // workers - WORKER_BYTES - body))
    return Shares(workers, job, bodies, servers)


def missing(memory: int, addresses: int | None, cores: int, shares: Shares, body: int) -> str:
    """Say what is missing if the shares do not fit, else nothing."""
    total = shares.total(body)
    if total > memory:
        return (
            f"the memory that may be used is {memory:,} bytes (control group or machine), and {total - memory:,} are "
            f"missing: {BASE_BYTES:,} for each server ({shares.servers}), {shares.bodies:,} for bodies and answers "
            f"(max_bodies_bytes), and for each worker ({shares.workers}) {WORKER_BYTES:,}, a body of {body:,} "
            f"(max_body_bytes) and a job of {shares.job:,} (max_memory_bytes)"
        )
    needed = WORKER_ADDRESSES + cores * THREAD_ADDRESSES + shares.job
    if addresses is not None and needed > addresses:
        return (
            f"the addresses that a process may have are {addresses:,} bytes (ulimit -v), and {needed - addresses:,} "
            f"are missing: {WORKER_ADDRESSES:,} for the engine, {THREAD_ADDRESSES:,} for each thread ({cores}), and a "
            f"job of {shares.job:,} (max_memory_bytes)"
        )
    return ""


def kept_of_jobs(job: int) -> int:
    """Bound the memory that a worker may retain after jobs of `job` bytes before another worker replaces it.

    Any bound below what its heap keeps (heap.py) would be exceeded after nearly every job.
    """
    return min(256 * MIB, max(96 * MIB, job // 2))


def available_memory(root: Path = ROOT) -> int:
    """Return the memory of this machine, or of the narrowest enclosing control group; `root` stands for `/`."""
    groups = bounds("memory", "memory.max", "memory.limit_in_bytes", root)
    found = [int(words[0]) for words in groups if words[0].isdecimal()]  # "max" is no bound
    return min([_physical(root), *found])


def available_addresses() -> int | None:
    """Return the hard bound on a process's address space (`ulimit -v`); None if there is none."""
    if sys.platform == "win32":
        return None
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    return None if hard == resource.RLIM_INFINITY else hard


def _physical(root: Path) -> int:
    try:
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN
