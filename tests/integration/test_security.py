"""How exposed rendered units are, measured by systemd itself (`systemd-analyze security --offline`)."""

from pathlib import Path

import pytest

from scheduled_tasks.deploy.security import ExposedUnitError, Exposure, exposures, gate
from scheduled_tasks.options import COSTS, RELAXATIONS
from scheduled_tasks.render.names import NOTIFY, OWN_SERVICES, WATCH, WATCH_DROP_IN
from scheduled_tasks.render.unit_set import UnitSet

GOLDEN = Path(__file__).parents[1] / "golden"
JOB = "clock-limits-inherits_all.service"

# The documented cost of each relaxation; jit and netlink cost less than the scores show.
MEASURED = {"jit": 0.0, "processes": 0.2, "devices": 0.3, "namespaces": 0.7, "netlink": 0.0}


def with_lines(*lines: str) -> UnitSet:
    """A set with one job, which has its limits and these lines."""
    folder = GOLDEN / "limits/expected"
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    files = {path: text for path, text in files.items() if "has_its_own" not in path}
    files[f"{JOB}.d/30-job.conf"] = "\n".join(["[Service]", *lines, ""])
    return UnitSet(files)


def exposure(*lines: str) -> Exposure:
    """The exposure of that job."""
    [job] = [one for one in exposures(with_lines(*lines)) if one.unit not in OWN_SERVICES]
    return job


def test_a_job_without_relaxations_scores_at_most_1_2() -> None:
    job = exposure()
    assert job.unit == JOB
    assert job.score <= 1.2
    assert job.reasons[0] == ("Service has access to the host's network", 0.5)


def test_a_job_that_can_reach_one_more_machine_scores_no_more_and_one_that_can_reach_any_1_3() -> None:
    assert exposure("IPAddressAllow=192.0.2.7").score <= 1.2  # a database, which no relaxation names
    assert exposure("IPAddressDeny=").score <= 1.3


def test_an_exposure_lists_the_relaxations_that_the_unit_names() -> None:
    assert exposure().relaxed == ()
    assert exposure("X-Relaxed=jit netlink", "X-Relaxed=concurrency").relaxed == ("concurrency", "jit", "netlink")


def test_concurrency_locks_cost_as_much_as_documented() -> None:
    assert exposure("Type=notify", "NotifyAccess=all").score - exposure().score == pytest.approx(0.2)
    page = (GOLDEN.parents[1] / "docs/reference/clock-files.md").read_text()
    assert "which costs 0.2 (any process of a run may notify systemd)" in " ".join(page.split())


@pytest.mark.parametrize("name", RELAXATIONS)
def test_a_relaxation_costs_as_much_as_documented(name: str) -> None:
    assert exposure(*RELAXATIONS[name].lines).score - exposure().score == pytest.approx(MEASURED[name])
    page = (GOLDEN.parents[1] / "docs/reference/clock-files.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert (f"| {MEASURED[name]};" if MEASURED[name] else "| under 0.1;") in row
    assert COSTS[name] >= MEASURED[name]  # otherwise the gate would reject a named relaxation


def test_the_gate_lets_named_relaxations_pass_and_nothing_else() -> None:
    gate(with_lines())
    for name, relaxation in RELAXATIONS.items():
        gate(with_lines(f"X-Relaxed={name}", *relaxation.lines))
    gate(with_lines("X-Relaxed=allow_network concurrency", "IPAddressDeny=", "Type=notify", "NotifyAccess=all"))
    with pytest.raises(ExposedUnitError) as raised:
        gate(with_lines("X-Relaxed=jit", *RELAXATIONS["namespaces"].lines, "ProtectSystem=no"))
    assert f"{JOB}: exposed to 2." in str(raised.value)
    assert "at most 1.3 is allowed: " in str(raised.value)


def test_the_gate_measures_one_job_of_a_group_and_reports_how_many_there_are() -> None:
    files = dict(with_lines("NoNewPrivileges=no", "CapabilityBoundingSet=~"))
    for number in range(400):
        name = f"clock-limits-other{number}.service"
        files[name] = files[JOB].replace("Description=", f"Description={number} ")
        files[f"{name}.d/30-job.conf"] = files[f"{JOB}.d/30-job.conf"]
    with pytest.raises(ExposedUnitError, match=rf"{JOB} and 400 more: exposed to"):
        gate(UnitSet(files))


def test_the_sender_of_notices_is_as_confined_as_a_job_and_passes_the_gate_whatever_it_can_reach() -> None:
    folder = GOLDEN / "sender/expected"
    units = UnitSet({str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()})
    anywhere = UnitSet({path: text.replace("=192.0.2.25/32", "=any") for path, text in units.items()})
    for files, score in ((units, 1.2), (anywhere, 1.2)):
        gate(files)
        [sender] = [one for one in exposures(files) if one.unit == NOTIFY]
        assert sender.score <= score


def test_a_set_with_a_watch_passes_the_gate() -> None:
    folder = GOLDEN / "watched/expected"
    units = UnitSet({str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()})
    gate(units)
    own = {exposure.unit: exposure.score for exposure in exposures(units) if exposure.unit in OWN_SERVICES}
    assert own == {
        "clock-watch.service": 1.7, "clock-failed@.service": 1.7, "clock-alert@.service": 1.1,
        "clock-credentials@.service": 1.3,
    }  # fmt: skip
    elsewhere = UnitSet({path: text.replace("=localhost", "=localhost 192.0.2.7/32") for path, text in units.items()})
    gate(elsewhere)  # PostgreSQL is on another host
    assert {exposure.score for exposure in exposures(elsewhere) if exposure.unit == WATCH} == {1.8}
    capability = "CapabilityBoundingSet=CAP_DAC_OVERRIDE"
    others = {"CAP_SETUID CAP_SETGID\nSystemCallFilter=@setuid": 1.9, "": 1.6}  # as decision 0008 says
    for instead, score in others.items():
        text = units[WATCH_DROP_IN].replace(capability, f"CapabilityBoundingSet={instead}")
        [watch] = [one for one in exposures(UnitSet({**units, WATCH_DROP_IN: text})) if one.unit == WATCH]
        assert watch.score == score
