"""The identity of a run."""

from __future__ import annotations

import uuid

from scheduled_tasks.run.current import Run, random_uuid


def test_a_run_id_is_a_random_uuid() -> None:
    made = {uuid.UUID(random_uuid()) for _ in range(100)}
    assert len(made) == 100
    assert {(value.version, value.variant) for value in made} == {(4, uuid.RFC_4122)}


def test_two_runs_have_two_ids() -> None:
    assert Run(task="a.b", name="b").run_id != Run(task="a.b", name="b").run_id
