"""How exposed rendered units are, measured by systemd itself (`systemd-analyze security --offline`)."""

from pathlib import Path

import pytest

from scheduled_tasks.cli.security import Exposure, exposures
from scheduled_tasks.options import RELAXATIONS

GOLDEN = Path(__file__).parents[1] / "golden"
JOB = "clock-limits-inherits_all.service"

# What the documentation says a relaxation costs; jit and netlink cost less than the measure shows.
COSTS = {"jit": 0.0, "processes": 0.2, "devices": 0.3, "namespaces": 0.7, "netlink": 0.0}


def exposure(*lines: str) -> Exposure:
    """How exposed a job is that has nothing but limits, and these lines."""
    folder = GOLDEN / "limits/expected"
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    files = {path: text for path, text in files.items() if "has_its_own" not in path}
    files[f"{JOB}.d/30-job.conf"] = "\n".join(["[Service]", *lines, ""])
    [found] = exposures(files)
    return found


def test_a_job_with_nothing_relaxed_is_exposed_to_1_2_at_most() -> None:
    found = exposure()
    assert found.unit == JOB
    assert found.score <= 1.2
    assert found.reasons[0] == ("Service has access to the host's network", 0.5)


def test_a_job_that_speaks_to_everybody_is_still() -> None:
    assert exposure("IPAddressDeny=").score <= 1.2


def test_taking_turns_by_locks_costs_what_the_documentation_says() -> None:
    assert exposure("Type=notify", "NotifyAccess=all").score - exposure().score == pytest.approx(0.2)
    page = (GOLDEN.parents[1] / "docs/clocks.md").read_text()
    assert "which costs 0.2 (any process of a run may notify systemd)" in page


@pytest.mark.parametrize("name", RELAXATIONS)
def test_a_relaxation_costs_what_the_documentation_says(name: str) -> None:
    assert exposure(*RELAXATIONS[name].lines).score - exposure().score == pytest.approx(COSTS[name])
    page = (GOLDEN.parents[1] / "docs/clocks.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert (f"| {COSTS[name]};" if COSTS[name] else "| under 0.1;") in row
