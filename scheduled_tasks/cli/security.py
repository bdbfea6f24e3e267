"""clocks security: how exposed each unit is, by systemd's own measure, and what raised it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import show_json, show_table
from scheduled_tasks.deploy.security import exposures
from scheduled_tasks.project import configured_host, enabled_clocks
from scheduled_tasks.render import names
from scheduled_tasks.render.units import render

if TYPE_CHECKING:
    from scheduled_tasks.deploy.security import Exposure


@click.command("security")
@json_option
def security(*, as_json: bool) -> None:
    """Show how exposed each job is (systemd's measure, 0 to 10), and what raises it above what every job has."""
    found = exposures(render(enabled_clocks(), configured_host()))
    if as_json:
        show_json([asdict(exposure) for exposure in found])
        return
    shared = set.intersection(*(set(exposure.reasons) for exposure in found)) if len(found) > 1 else set()
    show_table(
        ("UNIT", "SCORE", "RELAXED BY", "WHAT RAISED IT"),
        (
            (
                exposure.unit,
                f"{exposure.score:.1f}",
                _relaxed(exposure),
                "; ".join(f"{what} ({by:.1f})" for what, by in exposure.reasons if (what, by) not in shared) or "-",
            )
            for exposure in found
        ),
    )
    if shared:
        listed = "; ".join(f"{what} ({by:.1f})" for what, by in sorted(shared, key=lambda reason: -reason[1]))
        click.echo(f"every job: {listed}")


def _relaxed(exposure: Exposure) -> str:
    if exposure.unit in names.OWN_SERVICES:
        return "root: it starts jobs and writes in /etc"
    return ", ".join(exposure.relaxed) or "-"


COMMANDS = (security,)
