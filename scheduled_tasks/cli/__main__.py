"""The console script `clocks`, and `python -m scheduled_tasks.cli`."""

from __future__ import annotations

import signal
import sys


def clocks() -> None:
    """Run the command; Ctrl-C while its modules are imported ends it as quietly as later."""
    try:
        from scheduled_tasks.cli.commands import main
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    main(prog_name="clocks")


if __name__ == "__main__":
    clocks()
