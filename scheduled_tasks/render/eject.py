"""Plain units that live on without this project's deployment: no sets, no links, nothing that an apply would look at.

What comes in: clocks that have been read, and the host. What goes out: the files of a folder, with a README for
whoever finds it in years; it says what the units still call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.render.units import Host, render

README = "README.md"
_TEXT = """# Recurring tasks, as plain systemd units

A service and a timer for each job, a slice and a target for each clock. What services share stands in drop-ins
(`clock-.service.d` for every job, `clock-CLOCK-.service.d` for a clock's), which systemd reads by itself. The units are
yours now: edit them as any others. {manager} of version {systemd} or newer reads them.

## Install

Where `clocks` manages this machine's timers, first take those away. Choose a moment in which nothing is due
(`clocks next`): what falls due in between isn't run. Jobs that run go on to their end.

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
A service's ExecStart= says which task it runs, and with which arguments; any other command that does the same will do.

## Take away

    systemctl{option} disable --now {targets}
    rm -r {folder}/clock.slice {patterns}
    systemctl{option} daemon-reload
"""


def ejected(clocks: Iterable[ClockSpec], host: Host) -> dict[str, str]:
    """The units as they are, without what only an apply needs, and a README; path → text.

    Errors are those of `render`.
    """
    files = render(clocks, replace(host, standalone=True))
    targets = [path for path in files if path.endswith(".target")]
    more = [
        *(f"- `{host.credentials_at}/{name}`: a credential, by LoadCredential=." for name in host.credentials),
        *(
            f"- `{host.credentials_at}/{name}.cred`: one that only this machine can decrypt."
            for name in host.encrypted_credentials
        ),
        *([f"- the system user `{host.user}`."] if host.user and not host.of_user else []),
    ]
    folder = "~/.config/systemd/user" if host.of_user else "/etc/systemd/system"
    stems = [target.removesuffix(".target") for target in targets]
    text = _TEXT.format(
        manager="A user's own systemd" if host.of_user else "A systemd",
        systemd=host.systemd,
        option=" --user" if host.of_user else "",
        as_root="" if host.of_user else ", as root",
        folder=folder,
        targets=" ".join(targets),
        run_task=host.run_task,
        configuration=host.configuration,
        more="".join(f"{line}\n" for line in more),
        patterns=" ".join(
            f"{folder}/{pattern}" for pattern in ["clock-.service.d", *(f"{stem}[.-]*" for stem in stems)]
        ),
    )
    return {**files, README: text}
