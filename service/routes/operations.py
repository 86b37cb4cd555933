"""The operations by their name in a spec."""

from __future__ import annotations

from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase

BY_NAME: dict[str, type[OperationBase]] = {operation.name(): operation for operation in OPERATIONS}
