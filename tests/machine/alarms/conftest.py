"""One machine for all that the handbook says, through all modules of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.importers.new_project import EXAMPLE_TASK, FEATURES
from tests.machine.alarms.host import AGENT, EXAMPLE, GONE, HOST, MODULE, TASKS, WRAPPER, Host
from tests.machine.fleet import CONFIG, ETC, FOLDER, two_machines
from tests.machine.handbook import EDITOR, EDITOR_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def host() -> Iterator[Host]:
    """The machine, with a clock of one job that nothing raises an alarm about."""
    with two_machines(HOST) as fleet:
        one = Host(fleet)
        config = CONFIG.replace('timezone = "UTC"', 'timezone = "Europe/Paris"')
        more = 'features = "fleet.features:FeatureToggle"\ndatabase_retry_timeout = 2\n'
        more += f'monitors_role = "{AGENT}"\n'
        one.write(f"{ETC}/config.toml", config + more)
        one.write(f"{FOLDER}/fleet/features.py", FEATURES + '    ALARM = Feature("Runs what fails")\n')
        one.write(f"{FOLDER}/fleet/tasks/example.py", EXAMPLE_TASK.format(package="fleet"))
        one.write(MODULE, TASKS + GONE)
        one.write(EDITOR, EDITOR_SCRIPT)
        one.shell(f"install -d -m 1777 /srv/full; useradd --system {AGENT}; chmod 0700 {ETC}/credentials")
        one.query(f"CREATE ROLE {AGENT} LOGIN")
        for name in ("clocks", "run-task"):
            one.write(f"/usr/local/bin/{name}", WRAPPER.format(etc=ETC) + f'exec {FOLDER}/bin/{name} "$@"\n')
        one.shell("clocks features sync")
        fleet.write(example=EXAMPLE)
        yield one


@pytest.fixture(scope="package")
def alarmed(host: Host) -> Host:
    """The same with the clock whose jobs raise alarms."""
    host.deploy()
    return host
