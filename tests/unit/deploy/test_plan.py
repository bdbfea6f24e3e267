"""The plan: pure, from sets and the state of a machine."""

import pytest

from scheduled_tasks.deploy.plan import Loaded, MachineState, Plan, StoppedTimers, plan, reload_seconds
from scheduled_tasks.render.unit_set import UnitSet

TIMER = (
    "# Due daily, line {line}\n[Unit]\nDescription=x\n\n[Timer]\nOnCalendar=*-*-* {hour}:00:00\n# why\nAccuracySec=1s\n"
)
ACTIVE = Loaded(active=True)


def files(line: int = 1, hour: int = 6) -> UnitSet:
    files = {
        "clock-a.target": "[Unit]\n",
        "clock-a-x.timer": TIMER.format(line=line, hour=hour),
        "clock-a-x.service": "[Service]\n",
    }
    return UnitSet(files)


def settled(units: UnitSet, **state: object) -> MachineState:
    """A machine that has applied a set."""
    started = {path: ACTIVE for path in units if path.endswith((".timer", ".target"))}
    known: dict[str, object] = {"units": units, "links": dict.fromkeys(units.links, True), "loaded": started}
    return MachineState(**(known | state))  # type: ignore[arg-type]


def test_the_plan_is_empty_if_the_machine_has_the_set() -> None:
    assert plan(files(), settled(files())) == Plan()
    assert plan(files(), settled(files())).is_empty


def test_a_first_set_starts_everything_and_restarts_nothing() -> None:
    todo = plan(files(), MachineState())
    assert todo.created == ("clock-a-x.service", "clock-a-x.timer", "clock-a.target")
    assert (todo.start, todo.restart, todo.stop) == (("clock-a-x.timer", "clock-a.target"), (), ())
    assert "timers.target.wants/clock-a.target" in todo.missing_links
    assert todo.reload


def test_a_timer_of_which_only_comments_changed_is_written_and_not_restarted() -> None:
    todo = plan(files(line=2), settled(files(line=1)))
    assert (todo.changed, todo.restart, todo.reload) == (("clock-a-x.timer",), (), True)


def test_a_timer_whose_time_changed_is_restarted() -> None:
    assert plan(files(hour=7), settled(files(hour=6))).restart == ("clock-a-x.timer",)


def test_removed_units_are_stopped_and_their_links_are_stale() -> None:
    todo = plan(UnitSet(), settled(files()))
    assert todo.stop == ("clock-a-x.timer", "clock-a.target")
    assert len(todo.stale_links) == 4


def test_a_killed_apply_is_finished() -> None:
    outdated = {"clock-a.target": ACTIVE, "clock-a-x.timer": Loaded(active=False, outdated=True)}
    todo = plan(files(), settled(files(), loaded=outdated))
    assert (todo.reload, todo.start, todo.flips) == (True, ("clock-a-x.timer",), False)
    # It may have been killed before the reload of services alone, which no timer shows as outdated.
    assert plan(files(), settled(files(), unfinished=StoppedTimers({}))).reload
    # It had removed the set already: the links show which units were ours.
    after = settled(UnitSet(), links=dict.fromkeys(files().links, False), loaded={"clock-a-x.timer": ACTIVE})
    assert plan(UnitSet(), after).stop == ("clock-a-x.timer",)


def test_a_foreign_unit_with_our_prefix_is_left_alone() -> None:
    assert plan(files(), settled(files(), loaded={**settled(files()).loaded, "clock-sync.timer": ACTIVE})).is_empty


def test_the_effects_on_running_jobs_are_described() -> None:
    running = frozenset({"clock-a-x.service"})
    assert plan(UnitSet(), settled(files(), running=running)).on_running == {
        "clock-a-x.service": "goes on to its end with its limits, and is not started again"
    }
    assert plan(files(hour=7), settled(files(), running=running)).on_running == {
        "clock-a-x.service": "goes on; only its next due time has changed"
    }
    assert plan(files(), settled(files(), running=running)).on_running == {}


@pytest.mark.parametrize(
    "drop_in", ["clock-.service.d/10-every-job.conf", "clock-a-.service.d/20-clock.conf", "clock-a-x.service.d/30.conf"]
)
def test_a_change_of_an_inherited_drop_in_has_an_effect_on_a_running_job(drop_in: str) -> None:
    old = files() | {drop_in: "[Service]\nNice=1\n"}
    state = settled(old, running=frozenset({"clock-a-x.service", "clock-b-x.service"}))
    for wanted in (old | {drop_in: "[Service]\nNice=2\n"}, files()):
        effect = plan(wanted, state).on_running["clock-a-x.service"]
        assert effect == "goes on to its end as it was started; its next run is the new one"
    other = {"clock-c-.service.d/20-clock.conf": "[Service]\nNice=1\n"}
    assert plan(old | other, state).on_running == {}


def test_an_override_whose_run_is_over_is_removed() -> None:
    overrides = {"clock-a-x.service": "[Service]\nRuntimeMaxSec=1h\n"}
    todo = plan(files(), settled(files(), overrides=overrides))
    assert (todo.stale_overrides, todo.reload, todo.flips) == (("clock-a-x.service",), True, False)
    running = settled(files(), overrides=overrides, running=frozenset({"clock-a-x.service"}))
    assert plan(files(), running).is_empty


def test_only_lines_in_time_zones_cost_a_reload_time() -> None:
    lines = "OnCalendar=*-*-* 06:00:00 Europe/Paris\n" * 400 + "OnCalendar=*-*-* 06:00:00 UTC\n" * 400
    assert reload_seconds(UnitSet({"clock-a-x.timer": f"[Timer]\n{lines}"})) == 1.0
