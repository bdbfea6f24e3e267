"""Keep a run's result on disk while PostgreSQL is unreachable. Only a run that needs it imports this.

In a service the folder is the job's own below /var/lib/scheduled-tasks/results (StateDirectory=); the host's reconciler
(operate/reconcile.py) records the results in it and removes them. A run by hand uses the state directory of its
checkout; on a deployed host it has no such folder.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scheduled_tasks import files
from scheduled_tasks.instants import iso8601
from scheduled_tasks.run import record, settings

if TYPE_CHECKING:
    from pathlib import Path

    from scheduled_tasks.run.current import Run


def keep(run: Run, result: record.Result) -> bool:
    """Keep a result; False if there is no place for it.

    The file has all columns of the row, because the run may not have been able to insert one.
    """
    if (folder := _folder()) is None:
        return False
    columns = {
        **record.start_values(run, settings.load().release),
        **result._asdict(),
        "is_open": run.is_recorded,
        "started_at": run.began_at,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(folder / f"{run.run_id}-{run.attempt}.json", json.dumps(columns, default=iso8601))
    except OSError:
        return False
    return True


def _folder() -> Path | None:
    if folder := settings.service_folder():
        return folder
    configuration = settings.load()
    return None if configuration.deployed else configuration.state_directory / "results"
