"""How exposed a set's services are, by systemd's own measure, and the gate that no set passes with one too exposed.

What comes in: the files of a set. What goes out: scores with what raised them, or an error that names them. Asks
`systemd-analyze security --offline`, which reads files and changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scheduled_tasks.deploy.analyze import analyze
from scheduled_tasks.deploy.service_groups import shapes
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.options import COSTS
from scheduled_tasks.render import names
from scheduled_tasks.render.directives import RELAXED

LIMIT = 1.2
# The watch and the failures' account are root, have systemd start jobs, and write over another's files.
OWN_LIMIT = 1.7


class ExposedUnitError(ScheduledTasksError):
    """A service is more exposed than its clock file says by name."""

    exit_code = 65


@dataclass(frozen=True)
class Exposure:
    """What `systemd-analyze security` says of a unit.

    Attributes:
        score: 0 to 10, the less the better.
        relaxed: what its clock file relaxes by name, as the unit says it.
        reasons: what raised it, the worst first: what it is, and by how much.
    """

    unit: str
    score: float
    relaxed: tuple[str, ...]
    reasons: tuple[tuple[str, float], ...]


def exposures(files: Mapping[str, str]) -> list[Exposure]:
    """How exposed the services of a rendered set are; this machine's own drop-ins for them count.

    Raises:
        ServiceUnavailableError: there is no systemd-analyze, or it failed; with what it said.
    """
    units = [path for path in files if path.endswith(".service")]
    with _written(files) as folder:
        scores = _scores(units, f"{folder}:")
        relaxed = {unit: _relaxed(shape.directives) for shape, alike in shapes(files).items() for unit in alike}
        return [
            Exposure(unit, scores[unit], tuple(sorted(relaxed[unit])), _reasons(unit, f"{folder}:")) for unit in units
        ]


def gate(files: Mapping[str, str]) -> None:
    """Lets a set pass whose services have 1.2 at most, and what each of their named relaxations costs.

    Raises:
        ExposedUnitError: one has more; which, how much, and what raised it.
        ServiceUnavailableError: see `exposures`.
    """
    alike = shapes(files)
    first = [units[0] for units in alike.values()]
    if not first:
        return
    others = {unit for units in alike.values() for unit in units[1:]}
    judged = {path: text for path, text in files.items() if path not in others and not path.endswith(".timer")}
    faults = []
    with _written(judged) as folder:
        # The set alone, without what the machine has: an operator's own drop-in is the operator's business.
        scores = _scores(first, str(folder))
        for shape, units in alike.items():
            least = OWN_LIMIT if units[0] in names.OWN_SERVICES else LIMIT
            score, limit = scores[units[0]], least + sum(COSTS[name] for name in _relaxed(shape.directives))
            if score > limit + 0.001:
                worst = "; ".join(f"{what} ({by:.1f})" for what, by in _reasons(units[0], str(folder))[:3])
                more = f" and {len(units) - 1} more" if len(units) > 1 else ""
                faults.append(
                    f"{units[0]}{more}: exposed to {score:.1f} where {limit:.1f} is the most: {worst}; "
                    "a relaxation has a name, see relax in docs/reference/clock-files.md"
                )
    if faults:
        raise ExposedUnitError("\n".join(("systemd-analyze security finds too much, nothing was changed:", *faults)))


def _relaxed(directives: Iterable[str]) -> set[str]:
    given = (line.removeprefix(f"{RELAXED}=").split() for line in directives if line.startswith(f"{RELAXED}="))
    return {name for several in given for name in several}


@contextmanager
def _written(files: Mapping[str, str]) -> Iterator[Path]:
    with TemporaryDirectory(prefix="clocks-security-") as scratch:
        for path, text in files.items():
            target = Path(scratch, path)
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
        yield Path(scratch)


def _scores(units: list[str], path: str) -> dict[str, float]:
    said = _security(path, *units)
    # It makes an instance of a template, and says that one's name.
    levels = re.findall(r"exposure level for ([^\s@]+@?)[^\s@]*?(\.service): (\d+\.\d+)", said)
    found = {f"{name}{kind}": float(score) for name, kind, score in levels}
    if missing := [unit for unit in units if unit not in found]:
        raise ServiceUnavailableError(f"systemd-analyze has no score for {missing[0]}")
    return found


def _reasons(unit: str, path: str) -> tuple[tuple[str, float], ...]:
    checks = json.loads(_security(path, "--json=short", unit))
    found = [(str(check["description"]), float(check["exposure"])) for check in checks if check["exposure"]]
    return tuple(sorted(found, key=lambda reason: (-reason[1], reason[0])))


def _security(path: str, *arguments: str) -> str:
    done = analyze("security", "--offline=true", "--no-pager", *arguments, SYSTEMD_UNIT_PATH=path)
    if done.returncode != 0:
        raise ServiceUnavailableError(f"systemd-analyze security: {done.stderr.strip()}")
    return done.stdout
