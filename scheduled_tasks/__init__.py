"""scheduled_tasks: recurring tasks of a Python application, run by systemd timers.

The public names are loaded on first use, so that a run imports only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduled_tasks.clock import Clock, app
    from scheduled_tasks.decorators import cron_context, cron_idempotent, cron_require_feature, cron_required, log_cron
    from scheduled_tasks.features import Feature
    from scheduled_tasks.run.current import CurrentRun, current_run
    from scheduled_tasks.run.settings import setting

__version__ = "0.1.0"

__all__ = [
    "Clock",
    "CurrentRun",
    "Feature",
    "app",
    "cron_context",
    "cron_idempotent",
    "cron_require_feature",
    "cron_required",
    "current_run",
    "log_cron",
    "setting",
]

_MODULES = {
    "clock": ("Clock", "app"),
    "decorators": ("cron_context", "cron_idempotent", "cron_require_feature", "cron_required", "log_cron"),
    "features": ("Feature",),
    "run.current": ("CurrentRun", "current_run"),
    "run.settings": ("setting",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
