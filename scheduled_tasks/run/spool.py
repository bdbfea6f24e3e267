"""What became of a run, on disk while PostgreSQL can't be told; only a run that needs it imports this.

In a service the folder is the job's own below /var/lib/scheduled-tasks/results (StateDirectory=); the host's reconciler
(operate/reconcile.py) writes what it finds there and takes it away. By hand in a checkout it is below the state
directory; by hand on a deployed host there is none.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks import files
from scheduled_tasks.run import record, settings

if TYPE_CHECKING:
    from scheduled_tasks.run.current import Run


def keep(run: Run, result: record.Result) -> bool:
    """Keeps a result; False where there is no place for it.

    The file has all of the row, for a run that couldn't even open it.
    """
    folder = _folder()
    if folder is None:
        return False
    kept = {
        **record.start_values(run, settings.load().release),
        **result._asdict(),
        "is_open": run.recorded,
        "started_at": run.began_at,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(folder / f"{run.run_id}-{run.attempt}.json", json.dumps(kept, default=datetime.isoformat))
    except OSError:
        return False
    return True


def _folder() -> Path | None:
    for folder in os.environ.get("STATE_DIRECTORY", "").split(":"):
        if "/scheduled-tasks/results/" in folder:
            return Path(folder)
    configuration = settings.load()
    return None if configuration.deployed else configuration.state_directory / "results"
