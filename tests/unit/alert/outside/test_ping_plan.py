"""Of the pings that wait, a monitor gets those that it needs to know how the last run went, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.alert.outside.ping_plan import LastSent, Ping, plan

if TYPE_CHECKING:
    from scheduled_tasks.alert.outside.monitor import What

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def pings(*whats: tuple[What, UUID]) -> list[Ping]:
    return [Ping(number, what, run, "app1") for number, (what, run) in enumerate(whats)]


def sent(waiting: list[Ping], last: LastSent | None = None) -> list[tuple[str, UUID]]:
    return [(ping.what, ping.run_id) for ping in plan(waiting, last).send]


def test_a_run_that_has_ended_has_one_ping() -> None:
    assert sent(pings(("start", A), ("success", A))) == [("success", A)]


def test_the_current_run_has_its_start() -> None:
    assert sent(pings(("success", A), ("start", B))) == [("success", A), ("start", B)]


def test_a_run_that_began_a_moment_ago_waits() -> None:
    waiting = pings(("success", A), ("start", B))
    waiting[1] = waiting[1]._replace(is_due=False)
    planned = plan(waiting, None)
    assert planned.send == (waiting[0],)
    assert planned.drop == ()


def test_of_a_long_backlog_the_last_results_are_left_and_the_last_failure() -> None:
    runs = [UUID(int=number) for number in range(10, 20)]
    waiting = pings(("fail", A), ("fail", B), *(("success", run) for run in runs))
    assert sent(waiting) == [("fail", B), *(("success", run) for run in runs[-3:])]


def test_the_end_of_a_run_whose_start_was_sent_is_always_sent() -> None:
    runs = [UUID(int=number) for number in range(10, 20)]
    waiting = pings(("success", A), *(("success", run) for run in runs))
    assert sent(waiting, LastSent("start", A, is_running=False))[0] == ("success", A)


def test_a_run_that_was_taken_over_is_ended_by_the_next_ones_end() -> None:
    [end] = waiting = pings(("success", B))
    assert plan(waiting, LastSent("start", A, is_running=False)).ends_any == end


def test_an_overlapping_run_goes_on() -> None:
    assert plan(pings(("success", B)), LastSent("start", A, is_running=True)).ends_any is None


def test_the_own_end_of_a_run_names_it() -> None:
    assert plan(pings(("success", A)), LastSent("start", A, is_running=False)).ends_any is None


WHAT: st.SearchStrategy[What] = st.sampled_from(["start", "success", "fail", "log"])


@given(st.lists(st.tuples(WHAT, st.sampled_from([A, B, C])), min_size=1, max_size=30))
def test_nothing_is_forgotten_and_the_last_result_is_sent(whats: list[tuple[What, UUID]]) -> None:
    waiting = pings(*whats)
    planned = plan(waiting, None)
    assert sorted((*planned.send, *planned.drop)) == waiting
    assert list(planned.send) == sorted(planned.send)
    results = [ping for ping in waiting if ping.what != "start"]
    assert set(results[-1:]) <= set(planned.send)
    assert len(planned.send) <= 6
