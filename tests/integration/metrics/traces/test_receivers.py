"""A receiver that is away, refuses spans or needs a credential: spans are kept, or dropped with a message.

A bad span costs no other, and a long backlog delays nothing urgent.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.metrics.traces import export
from scheduled_tasks.metrics.traces.export import Exported
from scheduled_tasks.metrics.traces.trace_settings import TraceSettings
from tests.integration.alert.outside.shop import configuration, minutes
from tests.integration.metrics.traces.shop import LATER, Shop, ids


def test_a_receiver_that_is_away_is_tried_again_after_growing_pauses(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    after = LATER
    tried_at: list[int] = []
    while len(tried_at) < 7:
        shop.receiver.answers = [(503, "later")]
        if (done := shop.export(after)).problems:
            assert done.problems == (
                f"can't export traces: {shop.receiver.url} answered 503 Service Unavailable: later",
            )
            tried_at.append(round((after - LATER).total_seconds()))
        after += timedelta(seconds=30)
    assert tried_at == [0, 60, 180, 420, 900, 1800, 2700]
    assert shop.row()[3] == 7
    assert shop.export(after + timedelta(minutes=15)).spans == 1
    assert shop.row() == (1, 0, False, 0, "")


def test_what_has_waited_for_a_day_is_dropped_and_that_is_said(shop: Shop) -> None:
    for number in range(3):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    shop.connection.execute("UPDATE span_outbox SET queued_at = queued_at - interval '25 hours' WHERE id <= 2")
    assert shop.export() == Exported(1, ("dropped 2 spans: they could not be exported in time",))
    assert shop.row()[:3] == (1, 2, True)


def test_of_a_long_backlog_the_newest_spans_are_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_WAITING", 2)
    for number in range(5):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    assert shop.export() == Exported(2, ("dropped 3 spans: they could not be exported in time",))


def test_a_backlog_goes_out_in_batches_and_what_is_urgent_between_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    for number in range(5):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    urgent: list[int] = []
    done = export.export_spans(
        shop.connection, shop.settings, shop.traces, shop.now + LATER, lambda: urgent.append(len(shop.receiver.spans))
    )
    assert (done, urgent) == (Exported(5), [2, 4, 5])


def test_of_a_batch_that_is_refused_only_the_span_is_dropped_that_the_receiver_refuses(shop: Shop) -> None:
    runs = [shop.sell.start(shop.slot + timedelta(seconds=number)) for number in range(100)]
    for number, run in enumerate(runs):
        shop.sell.end(run, reason="bad" if number == 70 else None)
    shop.receiver.refuses = '"bad"'
    done = shop.export()
    assert (done.spans, [problem[:15] for problem in done.problems]) == (99, ["dropped 1 span:"])
    assert set(shop.receiver.spans) == {ids(run) for number, run in enumerate(runs) if number != 70}
    assert shop.row()[:2] == (99, 1)


@pytest.mark.parametrize(("run_id", "attempt"), [("0" * 32, 1), ("00000001-0000-0000-8000-000000000000", 2)])
def test_a_run_whose_id_makes_no_span_spoils_no_request(shop: Shop, run_id: str, attempt: int) -> None:
    shop.sell.start(shop.slot, run_id=run_id, attempt=attempt, status="missed")
    run = shop.sell.start(shop.slot + minutes(1), status="missed")
    assert shop.export() == Exported(1)
    assert (list(shop.receiver.spans), shop.queued()) == ([ids(run)], 0)


def test_what_the_receiver_refuses_is_dropped_and_that_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 1)
    shop.sell.end(shop.sell.start(shop.slot))
    shop.receiver.answers = [(400, "a span of 1970")]
    said = f"{shop.receiver.url} answered 400 Bad Request: a span of 1970"
    assert shop.export() == Exported(0, (f"dropped 1 span: {said}",))
    assert shop.row() == (0, 1, True, 0, said)
    assert shop.queued() == 0


def test_a_wrong_key_drops_nothing(shop: Shop) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    shop.receiver.answers = [(401, "who are you?")]
    assert len(shop.export().problems) == 1
    assert shop.export(LATER + minutes(2)) == Exported(1)


def test_what_the_receiver_takes_in_part_is_not_sent_again_and_that_is_said(shop: Shop) -> None:
    for number in range(2):
        shop.sell.end(shop.sell.start(shop.slot + minutes(number)))
    shop.receiver.answers = [(200, {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}})]
    assert shop.export().problems == ("the receiver of traces has dropped 1 span: too old",)
    assert shop.row()[:3] == (1, 1, True)
    assert shop.queued() == 0


@pytest.mark.parametrize("answer", ["", "ok", "[1]", '{"partialSuccess": null}', '{"partialSuccess": {}}'])
def test_any_other_answer_of_200_is_a_success(shop: Shop, answer: str) -> None:
    shop.sell.end(shop.sell.start(shop.slot))
    shop.receiver.answers = [(200, answer)]
    assert shop.export() == Exported(1)


def test_the_headers_of_the_credential_are_sent(shop: Shop, tmp_path: Path) -> None:
    settings = configuration(tmp_path, otlp="X-API-Key: s3cret\n\nX-Tenant: shop:eu\n")
    traces = TraceSettings(Endpoint(shop.receiver.url), "otlp")
    shop.sell.end(shop.sell.start(shop.slot))
    assert export.export_spans(shop.connection, settings, traces, shop.now + LATER).spans == 1
    sent = shop.receiver.requests[-1].headers
    assert (sent["X-API-Key"], sent["X-Tenant"]) == ("s3cret", "shop:eu")


def test_headers_that_can_not_be_read_drop_nothing_and_show_nothing(shop: Shop, tmp_path: Path) -> None:
    settings = configuration(tmp_path, otlp="s3cret")
    shop.sell.end(shop.sell.start(shop.slot))
    traces = TraceSettings(Endpoint(shop.receiver.url), "otlp")
    [problem] = export.export_spans(shop.connection, settings, traces, shop.now + LATER).problems
    assert problem.endswith("the credential notify.otlp has a line that is not a header: write NAME: VALUE")
    assert shop.queued() == 1
