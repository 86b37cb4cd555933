"""The operations by the name that a spec calls them by."""

from __future__ import annotations

from typing import get_args

from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase

BY_NAME: dict[str, type[OperationBase]] = {get_args(cls.model_fields["op"].annotation)[0]: cls for cls in OPERATIONS}
