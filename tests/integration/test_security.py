"""How exposed rendered units are, measured by systemd itself (`systemd-analyze security --offline`)."""

from pathlib import Path

import pytest

from scheduled_tasks.deploy.security import ExposedUnitError, Exposure, exposures, gate
from scheduled_tasks.options import COSTS, RELAXATIONS
from scheduled_tasks.render.names import OWN_SERVICES
from scheduled_tasks.render.unit_set import UnitSet

GOLDEN = Path(__file__).parents[1] / "golden"
JOB = "clock-limits-inherits_all.service"

# What the documentation says a relaxation costs; jit and netlink cost less than the measure shows.
MEASURED = {"jit": 0.0, "processes": 0.2, "devices": 0.3, "namespaces": 0.7, "netlink": 0.0}


def with_lines(*lines: str) -> UnitSet:
    """A set with one job, that has nothing but limits, and these lines."""
    folder = GOLDEN / "limits/expected"
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    files = {path: text for path, text in files.items() if "has_its_own" not in path}
    files[f"{JOB}.d/30-job.conf"] = "\n".join(["[Service]", *lines, ""])
    return UnitSet(files)


def exposure(*lines: str) -> Exposure:
    """How exposed that job is."""
    [found] = exposures(with_lines(*lines))
    return found


def test_a_job_with_nothing_relaxed_is_exposed_to_1_2_at_most() -> None:
    found = exposure()
    assert found.unit == JOB
    assert found.score <= 1.2
    assert found.reasons[0] == ("Service has access to the host's network", 0.5)


def test_a_job_that_speaks_to_everybody_is_still() -> None:
    assert exposure("IPAddressDeny=").score <= 1.2


def test_what_raised_it_by_name_is_what_the_unit_says() -> None:
    assert exposure().relaxed == ()
    assert exposure("X-Relaxed=jit netlink", "X-Relaxed=concurrency").relaxed == ("concurrency", "jit", "netlink")


def test_taking_turns_by_locks_costs_what_the_documentation_says() -> None:
    assert exposure("Type=notify", "NotifyAccess=all").score - exposure().score == pytest.approx(0.2)
    page = (GOLDEN.parents[1] / "docs/reference/clock-files.md").read_text()
    assert "which costs 0.2 (any process of a run may notify systemd)" in " ".join(page.split())


@pytest.mark.parametrize("name", RELAXATIONS)
def test_a_relaxation_costs_what_the_documentation_says(name: str) -> None:
    assert exposure(*RELAXATIONS[name].lines).score - exposure().score == pytest.approx(MEASURED[name])
    page = (GOLDEN.parents[1] / "docs/reference/clock-files.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert (f"| {MEASURED[name]};" if MEASURED[name] else "| under 0.1;") in row
    assert COSTS[name] >= MEASURED[name]  # or the gate would refuse what is relaxed by name


def test_the_gate_lets_pass_what_is_relaxed_by_name_and_nothing_else() -> None:
    gate(with_lines())
    for name, relaxation in RELAXATIONS.items():
        gate(with_lines(f"X-Relaxed={name}", *relaxation.lines))
    gate(with_lines("X-Relaxed=allow_network concurrency", "IPAddressDeny=", "Type=notify", "NotifyAccess=all"))
    with pytest.raises(ExposedUnitError) as refused:
        gate(with_lines("X-Relaxed=jit", *RELAXATIONS["namespaces"].lines, "ProtectSystem=no"))
    assert f"{JOB}: exposed to 1." in str(refused.value)
    assert "at most 1.3 is allowed: " in str(refused.value)


def test_the_gate_measures_one_of_the_jobs_that_are_alike_and_names_how_many() -> None:
    files = dict(with_lines("NoNewPrivileges=no", "CapabilityBoundingSet=~"))
    for number in range(400):
        name = f"clock-limits-other{number}.service"
        files[name] = files[JOB].replace("Description=", f"Description={number} ")
        files[f"{name}.d/30-job.conf"] = files[f"{JOB}.d/30-job.conf"]
    with pytest.raises(ExposedUnitError, match=rf"{JOB} and 400 more: exposed to"):
        gate(UnitSet(files))


def test_a_set_with_a_watch_passes_the_gate() -> None:
    folder = GOLDEN / "watched/expected"
    units = UnitSet({str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()})
    gate(units)
    own = {exposure.unit: exposure.score for exposure in exposures(units) if exposure.unit in OWN_SERVICES}
    assert own == {"clock-watch.service": 1.7, "clock-failed@.service": 1.7}
