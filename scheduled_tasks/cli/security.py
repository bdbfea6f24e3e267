"""clocks security: how exposed each unit is, by systemd's own measure, and what raised it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import configured_clocks, configured_host, json_option, show_json, table
from scheduled_tasks.deploy import names
from scheduled_tasks.deploy.render import render
from scheduled_tasks.deploy.security import exposures

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("security")
@json_option
def security(*, as_json: bool) -> None:
    """Show how exposed each job is (systemd's measure, 0 to 10), and what raises it above what every job has."""
    clocks = configured_clocks()
    found = exposures(render(clocks, configured_host()))
    if as_json:
        show_json([asdict(exposure) for exposure in found])
        return
    relaxed = {
        names.service_name(clock.name, job.id): _relaxed(job.options.over(clock.options).by_name)
        for clock in clocks
        for job in clock.jobs
    }
    relaxed |= dict.fromkeys(names.OWN_SERVICES, "root: it starts jobs and writes in /etc")
    shared = set.intersection(*(set(exposure.reasons) for exposure in found)) if len(found) > 1 else set()
    table(
        ("UNIT", "SCORE", "RELAXED BY", "WHAT RAISED IT"),
        (
            (
                exposure.unit,
                f"{exposure.score:.1f}",
                relaxed[exposure.unit] or "-",
                "; ".join(f"{what} ({by:.1f})" for what, by in exposure.reasons if (what, by) not in shared) or "-",
            )
            for exposure in found
        ),
    )
    if shared:
        listed = "; ".join(f"{what} ({by:.1f})" for what, by in sorted(shared, key=lambda reason: -reason[1]))
        click.echo(f"every job: {listed}")


def _relaxed(options: Mapping[str, object]) -> str:
    relaxations = options.get("relax", ())
    named = list(relaxations) if isinstance(relaxations, tuple) else []
    return ", ".join([*named, *(["allow_network=any"] if options.get("allow_network") == ("any",) else [])])


COMMANDS = (security,)
