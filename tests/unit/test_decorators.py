"""The decorators of a task, each alone and all together, outside run-task."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import scheduled_tasks
from scheduled_tasks import Feature, cron_context, cron_idempotent, cron_require_feature, cron_required, log_cron
from scheduled_tasks.errors import DecoratorOrderError
from scheduled_tasks.run import flags, record


class FeatureToggle(Enum):
    SELL = Feature("Sell things")


class NoToggle(Enum):
    SELL = "sell"


@dataclass
class Application:
    events: list[str] = field(default_factory=list)

    @contextmanager
    def app_context(self) -> Iterator[None]:
        self.events.append("in")
        try:
            yield
        finally:
            self.events.append("out")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The flags as the database would have them; integration tests read a real one."""
    table: dict[str, bool] = {}
    monkeypatch.setattr(record, "read_flag", table.get)
    return table


def test_log_cron_logs_start_and_end(lines: Callable[[], list[str]]) -> None:
    @log_cron
    def sell(number: int) -> int:
        return number + 1

    assert sell(1) == 2
    started, ended = lines()
    assert started == "type=cron name=sell status=started"
    assert ended.startswith("type=cron name=sell status=ended duration=0.")


def test_log_cron_logs_a_failure_and_raises_it_again(
    lines: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    @log_cron
    def sell() -> None:
        raise ValueError("sold out")

    with pytest.raises(ValueError, match="sold out"):
        sell()
    assert [line.rpartition(" duration=")[0] or line for line in lines()] == [
        "type=cron name=sell status=started",
        "type=cron name=sell status=failed",
    ]
    assert caplog.records[-1].exc_info is not None
    assert caplog.records[-1].levelname == "ERROR"


def test_cron_context_runs_the_task_in_the_applications_context() -> None:
    @cron_context
    def sell(app: Application) -> str:
        app.events.append("sold")
        return "done"

    app = Application()
    assert sell(app) == "done"
    assert sell(app=app) == "done"
    assert app.events == ["in", "sold", "out", "in", "sold", "out"]


def test_cron_context_passes_a_plain_object_on_unchanged() -> None:
    @cron_context
    def sell(app: object) -> object:
        return app

    plain = object()
    assert sell(plain) is plain


def test_an_uncommitted_method_that_raises_does_not_fail_the_task(lines: Callable[[], list[str]]) -> None:
    class Shop:
        extensions = ("not", "a", "dict")

        def uncommitted(self) -> list[str]:
            raise RuntimeError("the till is locked")

    @cron_context
    def sell(app: object) -> str:
        return "sold"

    assert sell(Shop()) == "sold"
    assert lines() == ["unknown whether changes were left uncommitted"]


def test_cron_required_is_cron_context() -> None:
    assert cron_required is cron_context


def test_cron_require_feature_runs_the_task_while_the_flag_is_on(
    table: dict[str, bool], lines: Callable[[], list[str]]
) -> None:
    @cron_require_feature(FeatureToggle.SELL)
    def sell() -> str:
        return "sold"

    table["SELL"] = True
    assert sell() == "sold"
    table["SELL"] = False
    assert sell() is None
    assert lines() == ["SELL is not active"]


@pytest.mark.parametrize(("default", "word"), [(True, "active"), (False, "inactive")])
def test_a_flag_that_the_table_lacks_has_its_default_with_a_warning(
    default: bool,  # noqa: FBT001 - a column of the table above
    word: str,
    table: dict[str, bool],
    lines: Callable[[], list[str]],
) -> None:
    toggle = Enum("toggle", {"SELL": Feature("Sell things", default=default)})
    assert flags.is_active(toggle["SELL"]) is default
    assert lines() == [
        f"the flag SELL is not in the table and has its default ({word}); `clocks features sync` adds it"
    ]


def test_all_three_work_together(table: dict[str, bool], lines: Callable[[], list[str]]) -> None:
    @log_cron
    @cron_context
    @cron_require_feature(FeatureToggle.SELL)
    def sell(app: Application) -> str:
        return ",".join(app.events)

    table["SELL"] = True
    assert sell(Application()) == "in"
    assert [line.split(" duration")[0] for line in lines()] == [
        "type=cron name=sell status=started",
        "type=cron name=sell status=ended",
    ]


ORDER = (
    "put @cron_require_feature closest to the function, the order from the outside in is "
    "@log_cron, @cron_context, @cron_require_feature, and then the function"
)


def _plain() -> None: ...


@pytest.mark.parametrize(
    ("decorated", "state"),
    [
        (log_cron(_plain), "already decorated with log_cron"),
        (cron_context(_plain), "already decorated with cron_context"),
        (log_cron(cron_context(_plain)), "already decorated with log_cron, cron_context"),
        (cron_require_feature(FeatureToggle.SELL)(_plain), "already decorated with cron_require_feature"),
        (staticmethod(_plain), "not a plain function"),
        (Application, "not a plain function"),
    ],
)
def test_cron_require_feature_accepts_only_a_plain_function(decorated: Callable[..., Any], state: str) -> None:
    with pytest.raises(DecoratorOrderError) as error:
        cron_require_feature(FeatureToggle.SELL)(decorated)
    assert state in str(error.value)
    assert str(error.value).endswith(ORDER)


@pytest.mark.parametrize("feature", ["SELL", NoToggle.SELL, _plain])
def test_cron_require_feature_accepts_only_a_member_of_the_flags(feature: Any) -> None:
    with pytest.raises(DecoratorOrderError, match=r"write @cron_require_feature\(FeatureToggle.NAME\)"):
        cron_require_feature(feature)


def test_decorators_keep_the_signature() -> None:
    def sell(app: Application, day: str = "monday", *, fast: bool = False) -> int:
        """Sells."""
        return 1

    decorated = log_cron(cron_context(cron_require_feature(FeatureToggle.SELL)(sell)))
    assert inspect.signature(decorated) == inspect.signature(sell)
    assert (decorated.__name__, decorated.__doc__) == ("sell", "Sells.")
    assert decorated.__cron__ == ("log_cron", "cron_context", "cron_require_feature")  # type: ignore[attr-defined]
    assert decorated.__cron_feature__ is FeatureToggle.SELL  # type: ignore[attr-defined]


TYPED = """
from enum import Enum
from scheduled_tasks import Feature, cron_context, cron_require_feature, cron_required, log_cron

class FeatureToggle(Enum):
    SELL = Feature("Sell things")

@log_cron
@cron_context
@cron_require_feature(FeatureToggle.SELL)
def sell(app: object, day: str) -> int:
    return 1

@cron_required
def give(app: object) -> str:
    return ""

reveal_type(sell)
reveal_type(give)
sell(object(), 3)
"""


def test_a_type_checker_sees_the_tasks_own_signature(tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text(TYPED)
    root = Path(scheduled_tasks.__file__).parents[1]
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert [line.partition(": ")[2] for line in result.stdout.splitlines()] == [
        'note: Revealed type is "def (app: object, day: str) -> int | None"',
        'note: Revealed type is "def (app: object) -> str"',
        'error: Argument 2 to "sell" has incompatible type "int"; expected "str"  [arg-type]',
    ]


def test_cron_idempotent_works_anywhere_among_the_decorators() -> None:
    def task(app: object) -> None: ...

    for declared in (
        cron_idempotent(log_cron(cron_context(task))),
        log_cron(cron_idempotent(cron_context(task))),
        log_cron(cron_context(cron_require_feature(FeatureToggle.SELL)(cron_idempotent(task)))),
    ):
        assert getattr(declared, "__cron_idempotent__", False) is True


def test_a_task_is_not_idempotent_by_default() -> None:
    assert not hasattr(log_cron(lambda: None), "__cron_idempotent__")
