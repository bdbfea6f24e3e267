"""Options of clocks and jobs: what a job may take of the machine, as whom and with what it runs, how it is tried again.

What comes in: the keywords of `Clock(…)` and `add_job(…)` that aren't the schedule's. What goes out: `Options`, judged
value by value, or faults. How they are written into units is `deploy`'s business, which this room doesn't import.
"""

from scheduled_tasks.options.relaxations import COSTS, RELAXATIONS, Relaxation
from scheduled_tasks.options.table import DEFAULT_OPTIONS, DEFAULTS, OPTIONS, RETRY_DELAY, Option, Options, read_options
from scheduled_tasks.options.validators import seconds_of, why_unwritable

__all__ = [
    "COSTS",
    "DEFAULTS",
    "DEFAULT_OPTIONS",
    "OPTIONS",
    "RELAXATIONS",
    "RETRY_DELAY",
    "Option",
    "Options",
    "Relaxation",
    "read_options",
    "seconds_of",
    "why_unwritable",
]
