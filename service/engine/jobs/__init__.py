"""A job from the bytes of a request to the bytes of its answer: read, planned, computed, written."""

from __future__ import annotations

from service.engine.jobs.job import ANIMATED as ANIMATED
from service.engine.jobs.job import Answer as Answer
from service.engine.jobs.job import Buffer as Buffer
from service.engine.jobs.job import Job as Job
from service.engine.jobs.job import Result as Result
