"""Decide whether a feature is active: the one place that knows what a missing flag and an unreachable database mean.

A run reads its task's flag together with its own row; any other flag is read when needed. A flag that the table
lacks has its default, with a warning. Fails closed: without PostgreSQL's answer, nothing behind a flag runs.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scheduled_tasks.run import current

if TYPE_CHECKING:
    from enum import Enum

logger = logging.getLogger("scheduled_tasks.run")


def is_active(feature: Enum) -> bool:
    """Whether a flag is active now.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable.
        ConfigurationError: no database is configured, or it lacks our tables.
    """
    run = current.current
    if run is not None and run.feature == feature.name and run.is_active is not None:
        return run.is_active
    from scheduled_tasks.run.record import read_flag  # it imports psycopg

    return resolve(feature, read_flag(feature.name))


def resolve(feature: Enum, state: bool | None) -> bool:  # noqa: FBT001 - the table's own value
    """A flag's state; its default if it is None, because the table lacks the flag."""
    if state is not None:
        return state
    default = bool(feature.value.default)
    logger.warning(
        "the flag %s is not in the table and has its default (%s); `clocks features sync` adds it",
        feature.name,
        "active" if default else "inactive",
        extra={"feature": feature.name},
    )
    return default
