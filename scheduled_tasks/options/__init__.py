"""Options of clocks and jobs: resource limits, user, environment, sandbox, retries.

The keywords of `Clock(…)` and `add_job(…)` other than the schedule's go in; checked `Options` or faults come out. How
units express them is up to `render`, which this package doesn't import.
"""

from scheduled_tasks.options.relaxations import COSTS, RELAXATIONS, Relaxation
from scheduled_tasks.options.table import (
    ALERTS,
    DEFAULT_OPTIONS,
    DEFAULTS,
    OPTIONS,
    RETRY_DELAY,
    Option,
    Options,
    read_options,
)
from scheduled_tasks.options.validators import MAX_STRING, is_secret, seconds_of, shown_value, why_unwritable

__all__ = [
    "ALERTS",
    "COSTS",
    "DEFAULTS",
    "DEFAULT_OPTIONS",
    "MAX_STRING",
    "OPTIONS",
    "RELAXATIONS",
    "RETRY_DELAY",
    "Option",
    "Options",
    "Relaxation",
    "is_secret",
    "read_options",
    "seconds_of",
    "shown_value",
    "why_unwritable",
]
