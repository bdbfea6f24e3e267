"""A flag that the enum does not have: the error says which it means, or where to add it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.features import explain_unknown
from scheduled_tasks.run.find_task import TaskImportError, find_task

FEATURES = '''from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    """Flags."""

    EXAMPLE = Feature("Runs the example")
    EXPIRE = Feature(
        "Expires"
    )


AFTERWARDS = 1
'''
TASK = '''from flags_shop.features import FeatureToggle
from scheduled_tasks import cron_require_feature


@cron_require_feature(FeatureToggle.{flag})
def expire():
    """Expire."""
'''
CLOCK = "from flags_shop.tasks.baskets import expire\nfrom scheduled_tasks import Clock\nscheduler = Clock()\n"


@pytest.mark.parametrize(
    ("flag", "near"), [("EXPIER", "write EXPIRE, or "), ("COLOUR", "")], ids=["misspelt", "not there yet"]
)
def test_a_flag_that_is_not_in_the_enum_is_named_with_the_line_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, near: str
) -> None:
    tasks = tmp_path / "flags_shop/tasks"
    tasks.mkdir(parents=True)
    (tmp_path / "flags_shop/features.py").write_text(FEATURES)
    (tasks / "baskets.py").write_text(TASK.format(flag=flag))
    (tmp_path / "clock.py").write_text(CLOCK)
    monkeypatch.syspath_prepend(str(tmp_path))
    expected = (
        f"the flag {flag} is not in FeatureToggle: {near}add {flag} = Feature('what it switches') after "
        f"{tmp_path}/flags_shop/features.py:12"
    )
    try:
        with pytest.raises(TaskImportError) as of_the_run:
            find_task("baskets.expire", "flags_shop.tasks", lambda: None)
        context = ReadingContext(domains="flags_shop.tasks", timezone="UTC", now=datetime(2026, 11, 23, tzinfo=UTC))
        with pytest.raises(FaultsError) as of_the_clock:
            read_clock(tmp_path / "clock.py", "clock", context)
    finally:
        forget("flags_shop")
    assert str(of_the_run.value) == f"flags_shop.tasks.baskets can't be imported: {expected}"
    assert str(of_the_clock.value) == f"{tmp_path}/clock.py:1: {expected}"


def forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def test_another_error_is_not_explained() -> None:
    with pytest.raises(AttributeError) as error:
        Path.colour  # type: ignore[attr-defined]  # noqa: B018
    assert explain_unknown(error.value) == ""
    assert explain_unknown(OSError("the disk is full")) == ""
