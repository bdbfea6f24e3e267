"""The side effects of a deployment."""

from __future__ import annotations

import stat
from pathlib import Path

from scheduled_tasks.deploy.effects import Effects


def test_a_task_can_not_take_the_lock_of_an_apply(tmp_path: Path) -> None:
    """Whoever can open a file can lock it."""
    lock = Effects().lock(tmp_path / "lock")
    assert lock is not None
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    assert Effects().lock(tmp_path / "lock") is None
    lock.close()
