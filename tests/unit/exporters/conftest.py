"""The configuration of this project's example, for tests that call the commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduled_tasks.run import settings

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's pyproject.toml, which is the configuration during the test."""
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(PYPROJECT))
    settings.load.cache_clear()
    yield PYPROJECT
    settings.load.cache_clear()
