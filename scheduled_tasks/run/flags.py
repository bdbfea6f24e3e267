"""Is a feature active? The one place that knows what a missing flag and an unreachable database mean.

In a run the flag of the task was read together with the run's row; a flag asked for by another call is read then.
A flag that the table lacks behaves as its default, and that is reported. Fails closed: without an answer from
PostgreSQL nothing that is behind a flag runs.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scheduled_tasks.run import current

if TYPE_CHECKING:
    from enum import Enum

logger = logging.getLogger("scheduled_tasks.run")


def is_active(feature: Enum) -> bool:
    """Whether a flag is on now.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached.
        ConfigurationError: no database is configured, or it lacks our tables.
    """
    run = current.current
    if run is not None and run.feature == feature.name and run.is_active is not None:
        return run.is_active
    from scheduled_tasks.run.record import read_flag  # psycopg only when it is asked for

    return resolve(feature, read_flag(feature.name))


def resolve(feature: Enum, state: bool | None) -> bool:  # noqa: FBT001 - the table's own value
    """A flag's state, where the table may lack it."""
    if state is not None:
        return state
    default = bool(feature.value.default)
    logger.warning(
        "the flag %s is not in the table, so its default holds (%s); `clocks features sync` adds it",
        feature.name,
        "active" if default else "inactive",
        extra={"feature": feature.name},
    )
    return default
