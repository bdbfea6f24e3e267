"""clocks security: how exposed each unit is, as systemd-analyze measures it, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.deploy.security import exposures
from scheduled_tasks.project import configured_host, enabled_clocks
from scheduled_tasks.render import names
from scheduled_tasks.render.units import render

if TYPE_CHECKING:
    from scheduled_tasks.deploy.security import Exposure


@click.command("security")
@json_option
def security(*, as_json: bool) -> None:
    """Show how exposed each unit is, and why.

    The score is systemd-analyze's, from 0 to 10 (unprotected).
    """
    units = exposures(render(enabled_clocks(), configured_host()))
    if as_json:
        show_json([asdict(exposure) for exposure in units])
        return
    shared = set.intersection(*(set(exposure.reasons) for exposure in units)) if len(units) > 1 else set()
    show_table(
        ("UNIT", "SCORE", "RELAXED BY", "WHY"),
        (
            (
                exposure.unit,
                f"{exposure.score:.1f}",
                _relaxed(exposure),
                "; ".join(f"{what} ({by:.1f})" for what, by in exposure.reasons if (what, by) not in shared) or "-",
            )
            for exposure in units
        ),
        text=True,
    )
    if shared:
        listed = "; ".join(f"{what} ({by:.1f})" for what, by in sorted(shared, key=lambda reason: -reason[1]))
        click.echo(f"every job: {listed}")


def _relaxed(exposure: Exposure) -> str:
    if exposure.unit in names.OWN_SERVICES:
        return "root: it starts jobs and writes to /etc"
    return ", ".join(exposure.relaxed) or "-"


COMMANDS = (security,)
