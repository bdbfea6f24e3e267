"""`clocks`, the operator's command: one thin module for each group of commands.

Importing this package imports none of them, so that __main__.py can answer Ctrl-C while they are imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduled_tasks.cli.commands import main as main


def __getattr__(name: str) -> Any:
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scheduled_tasks.cli.commands import main

    return main
