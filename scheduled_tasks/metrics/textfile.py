"""Write the metrics of this host as a file for node_exporter's textfile collector, at each look of the watch.

It has the host's own series and those of the jobs that are deployed on it. A scraper finds either a whole file or the
one before, and in it the time at which it was read. If the ledger can't be read, the file says that and nothing else of
it: no older value is left for fresh.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks import files
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.metrics import exporter, exposition, samples
from scheduled_tasks.operate.host_watch import PENDING

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings

NAME = "scheduled_tasks.prom"
MODE = 0o644  # node_exporter has a user of its own


def write(connection: Connection, places: Places, host: str, now: datetime, configuration: Settings) -> None:
    """Write the file from the ledger.

    Args:
        connection: on which each statement is a transaction of its own.
        places: of this machine, whose pending files are counted.
        host: its name.
        now: the database's time.
        configuration: which names the folder (`metrics_textfile_folder`), and bounds the series of jobs
            (`metrics_jobs`).

    Raises:
        ConfigurationError: the folder does not exist, or `metrics_jobs` has a fault.
    """
    which = samples.which_jobs(configuration.values.get("metrics_jobs"))
    _write(configuration, exporter.text_once(connection, now, which, host) + _own(places, host))


def write_without_ledger(places: Places, host: str, now: datetime, configuration: Settings) -> None:
    """Write that the ledger can't be read, at a time by this host's clock.

    Raises:
        ConfigurationError: the folder does not exist.
    """
    _write(configuration, exporter.text_without_ledger(now) + _own(places, host))


def _own(places: Places, host: str) -> str:
    """What this machine knows itself."""
    number = sum(1 for pattern in PENDING for _ in places.state.glob(pattern))
    return exposition.text(samples.pending(host, number))


def _write(configuration: Settings, text: str) -> None:
    folder = configuration.require("metrics_textfile_folder")
    try:
        files.write(Path(folder, NAME), text, MODE)
    except FileNotFoundError:
        raise ConfigurationError(
            f"metrics_textfile_folder = {folder!r}: there is no such folder: install node_exporter, and name the"
            " folder that its --collector.textfile.directory names"
        ) from None
