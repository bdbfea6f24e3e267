"""run-task's command line, and the call that it requests."""

from __future__ import annotations

from typing import Any

import pytest

from scheduled_tasks import cron_context, log_cron
from scheduled_tasks.errors import UsageError
from scheduled_tasks.run.arguments import APP, BindError, CommandLine, bind, parse, takes_app


def test_a_unit_can_give_every_option() -> None:
    argv = [
        "booking.cancel",
        "--clock",
        "night",
        "--job",
        "tidy",
        "--args",
        '[{"@": "app"}, 1]',
        "--kwargs",
        '{"a": 2}',
    ]
    assert parse(argv) == CommandLine("booking.cancel", "night", "tidy", [{"@": "app"}, 1], {"a": 2})


def test_a_person_can_give_the_task_alone() -> None:
    assert parse(["booking.cancel"]) == CommandLine("booking.cancel")


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["booking.cancel", "--help"]])
def test_help_is_not_a_task(argv: list[str]) -> None:
    assert parse(argv) is None


@pytest.mark.parametrize(
    ("option", "value"),
    [("--args", '{"a": 1}'), ("--args", "oops"), ("--kwargs", "[]"), ("--job", "a-b"), ("--job", "é")],
)
def test_a_fault_names_the_option(option: str, value: str) -> None:
    with pytest.raises(UsageError, match=option):
        parse(["booking.cancel", option, value])


def _with_app(app: object, day: str = "") -> tuple[object, str]:
    return app, day


def _without_app(day: str = "") -> str:
    return day


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (_with_app, True),
        (log_cron(_with_app), True),
        (cron_context(lambda application: application), True),
        (_without_app, False),
        (log_cron(_without_app), False),
        (lambda: None, False),
    ],
    ids=["first named app", "decorated", "a context", "none", "decorated, none", "no parameters"],
)
def test_a_task_takes_the_application_by_its_context_or_its_first_parameters_name(task: Any, expected: bool) -> None:  # noqa: FBT001
    assert takes_app(task) is expected


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        (CommandLine("x.y"), ("the app", "")),
        (CommandLine("x.y", kwargs={"day": "monday"}), ("the app", "monday")),
        (CommandLine("x.y", args=[APP, "monday"]), ("the app", "monday")),
        (CommandLine("x.y", args=["no app", "monday"]), ("no app", "monday")),
        (CommandLine("x.y", kwargs={"day": "monday", "app": APP}), ("the app", "monday")),
    ],
)
def test_the_application_replaces_its_placeholder(command_line: CommandLine, expected: tuple[str, str]) -> None:
    call = bind(_with_app, command_line, lambda: "the app")
    assert call(_with_app) == expected


def test_the_application_is_only_made_when_the_task_is_called() -> None:
    made = []
    call = bind(_with_app, CommandLine("x.y"), lambda: made.append("made"))
    assert made == []
    call(_with_app)
    assert made == ["made"]


def test_a_task_without_an_app_parameter_makes_no_application() -> None:
    def make() -> object:
        raise AssertionError("the application was made")

    assert bind(_without_app, CommandLine("x.y", args=["monday"]), make)(_without_app) == "monday"


def test_arguments_that_do_not_fit_show_the_signature() -> None:
    with pytest.raises(BindError) as error:
        bind(_with_app, CommandLine("x.y", args=[APP, 1, 2]), object)
    assert str(error.value) == (
        "x.y(app: 'object', day: 'str' = '') -> 'tuple[object, str]': too many positional arguments; "
        "give them with --args '[…]' or --kwargs '{…}'"
    )
