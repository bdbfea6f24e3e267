"""A clock's export for Kubernetes, and the configuration of this project's example for tests that call the commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduled_tasks.exporters.kubernetes import Exported, export
from scheduled_tasks.run import settings
from tests.unit.exporters.clock_for_export import NOW, read
from tests.unit.exporters.kubernetes_objects import CLUSTER

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    return export([read(tmp_path)], CLUSTER, base=tmp_path, now=NOW, configuration='domains = "shop"\n')


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's pyproject.toml, which is the configuration during the test."""
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(PYPROJECT))
    settings.load.cache_clear()
    yield PYPROJECT
    settings.load.cache_clear()
