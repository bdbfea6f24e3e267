"""Render plain units that no longer need this project's deployment: no sets, no links, nothing for an apply.

Their README, for whoever finds them years later, lists what the units still call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.render.host import Host
from scheduled_tasks.render.units import render

README = "README.md"
_TEXT = """# Recurring tasks, as plain systemd units

A service and a timer for each job, a slice and a target for each clock. What services share is in drop-ins
(`clock-.service.d` for every job, `clock-CLOCK-.service.d` for those of a clock), which systemd reads automatically.
The units are yours now: edit them as any others. {manager} of version {systemd_version} or newer reads them.

## Install

If `clocks` manages this machine's timers, remove those first. Choose a moment when nothing is due (`clocks next`):
what falls due in between isn't run. Running jobs go on to their end.

    clocks remove --all{option}

Then, in this folder{as_root}:

    mkdir -p {folder}
    cp -r clock* {folder}/
    systemctl{option} daemon-reload
    systemctl{option} enable --now {targets}

The first start runs no job. `systemctl{option} list-timers 'clock-*'` shows when each is due.

## What they still call

- `{run_task}`: runs a task. It and the Python packages below it have to stay where they are.
- `{configuration}`: its configuration, named by SCHEDULED_TASKS_CONFIG in `clock-.service.d/10-every-job.conf`.
{more}
A service's ExecStart= names the task that it runs, and its arguments; any other command that does the same will do.

## Remove

    systemctl{option} disable --now {targets}
    rm -r {folder}/clock.slice {patterns}
    systemctl{option} daemon-reload
"""


def eject(clocks: Iterable[ClockSpec], host: Host) -> dict[str, str]:
    """Render the units without what only an apply needs, and a README; path → text. Raises the errors of `render`."""
    units = render(clocks, replace(host, standalone=True))
    stems = [path.removesuffix(".target") for path in units if path.endswith(".target")]
    credentials = host.credentials_path
    more = [
        *(f"- `{credentials}/{name}`: a credential, by LoadCredential=.\n" for name in host.credentials),
        *(f"- `{credentials}/{name}.cred`: only this machine can decrypt it.\n" for name in host.encrypted_credentials),
        *([f"- the system user `{host.user}`.\n"] if host.user and not host.is_user else []),
    ]
    folder = "~/.config/systemd/user" if host.is_user else "/etc/systemd/system"
    patterns = ["clock-.service.d", *(f"{stem}[.-]*" for stem in stems)]
    text = _TEXT.format(
        manager="A user's own systemd" if host.is_user else "A systemd",
        systemd_version=host.systemd_version,
        option=" --user" if host.is_user else "",
        as_root="" if host.is_user else ", as root",
        folder=folder,
        targets=" ".join(f"{stem}.target" for stem in stems),
        run_task=host.run_task,
        configuration=host.configuration,
        more="".join(more),
        patterns=" ".join(f"{folder}/{pattern}" for pattern in patterns),
    )
    return {**units, README: text}
