"""Compare the cost of run-task with the least that a task behind a flag can cost: prints a paired ratio.

The bare script imports psycopg, connects and selects once. run-task runs an empty task behind a flag and records it;
its slot run is one that a timer starts, which finds its nominal time and claims it in the ledger. "alerts off" is the
same run without a route in its configuration, in a database without the triggers of alerts. bin/run-task is run-task
through its shell script. All use this interpreter and one server that this script starts, and take turns
(A B C D A B C D …), so that other load on the machine affects all alike.

    python benchmarks/start.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg

# A job that is due every second, so that each run has a slot of its own.
SCHEDULE = {"kind": "cron", "zone": "Europe/Paris", "hours": [*range(24)], "minutes": [*range(60)]}
SLOT = [
    *("--clock=tiny", "--job=nothing", "--timeout=60"),
    f"--schedule={json.dumps(SCHEDULE | {'seconds': [*range(60)]})}",
]

ROOT = Path(__file__).resolve().parents[1]

# The triggers of task_run that alerts, stored logs, pings, metrics and traces need (migrations 0002 to 0006).
ALERT_TRIGGERS = (
    *("judge_bad_result", "judge_good_result", "request_log", "queue_ping", "queue_ping_of_change"),
    *("note_slot_change", "note_slot_change_of_row", "queue_span", "queue_span_of_change"),
)

WITHOUT_ALERTS = 'domains = "tiny.tasks"\nfeatures = "tiny.features:FeatureToggle"\n'
FILES = {
    "alerts_off.toml": WITHOUT_ALERTS,
    "alerts_on.toml": WITHOUT_ALERTS
    + """
[notify]
default = ["ops"]

[notify.routes.ops]
kind = "webhook"
credential = "ops_url"
""",
    "tiny/__init__.py": "",
    "tiny/features.py": """
from enum import Enum
from scheduled_tasks import Feature

class FeatureToggle(Enum):
    NOTHING = Feature("Do nothing")
""",
    "tiny/tasks/__init__.py": "",
    "tiny/tasks/idle.py": """
from scheduled_tasks import cron_context, cron_require_feature, log_cron
from tiny.features import FeatureToggle

@log_cron
@cron_context
@cron_require_feature(FeatureToggle.NOTHING)
def nothing(app):
    pass
""",
    "bare.py": """
import os
import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("SELECT 1").fetchone()
""",
}


def main(rounds: int) -> None:
    """Start a server, measure, print, and remove everything."""
    from scheduled_tasks.operate import embedded

    get_server = embedded.import_pgserver()
    folder = Path(tempfile.mkdtemp(prefix="start-"))
    folder.chmod(0o755)  # if root runs this, the server is another user's process
    server = get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        for name, text in FILES.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        compare(folder, {**os.environ, "DATABASE_URL": str(server.get_uri()), "PYTHONPATH": f"{ROOT}:{folder}"}, rounds)
    finally:
        server.cleanup()
        shutil.rmtree(folder)


def compare(folder: Path, env: dict[str, str], rounds: int) -> None:
    """Run the commands in turn and print their times."""
    url = urlsplit(env["DATABASE_URL"])
    off = {**env, "SCHEDULED_TASKS_CONFIG": str(folder / "alerts_off.toml")}
    off["DATABASE_URL"] = url._replace(path="/without_alerts").geturl()
    on = {**env, "SCHEDULED_TASKS_CONFIG": str(folder / "alerts_on.toml")}
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE without_alerts")
    for environment in (on, off):
        subprocess.run([sys.executable, "-P", "-m", "scheduled_tasks.cli", "setup"], env=environment, check=True)
    with psycopg.connect(off["DATABASE_URL"], autocommit=True) as connection:
        for trigger in ALERT_TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger} ON task_run")
    slot_run = [
        *("env", "TRIGGER_UNIT=clock-tiny-nothing.timer"),
        *(sys.executable, "-P", "-m", "scheduled_tasks.run.main", "idle.nothing", *SLOT),
    ]
    commands = {
        "bare script": ([sys.executable, "-P", str(folder / "bare.py")], on),
        "run-task": ([sys.executable, "-P", "-m", "scheduled_tasks.run.main", "idle.nothing"], on),
        "its slot run": (slot_run, on),
        "alerts off": (slot_run, off),
    }
    if (ROOT / ".venv" / ".local").exists():  # otherwise it would set the project up first
        commands["bin/run-task"] = ([str(ROOT / "bin" / "run-task"), "idle.nothing"], on)
    for command, environment in commands.values():  # each compiles its imports
        _seconds(command, environment)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, environment) in commands.items():
            taken[name].append(_seconds(command, environment))
    print(f"{rounds} rounds, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for index, heading in enumerate(("time", "CPU time")):
        print(f"{heading:14}{'median':>10}{'min':>10}{'max':>10}{'to bare, paired':>18}{'of the minima':>15}")
        bare = [pair[index] for pair in taken["bare script"]]
        for name, pairs in taken.items():
            seconds = [pair[index] for pair in pairs]
            ratio = median(mine / other for mine, other in zip(seconds, bare, strict=True))
            figures = "".join(f"{figure * 1000:7.1f} ms" for figure in (median(seconds), min(seconds), max(seconds)))
            print(f"{name:14}{figures}{ratio:18.3f}{min(seconds) / min(bare):15.3f}")
        both = zip(taken["its slot run"], taken["alerts off"], strict=True)
        print(f"alerts on to off, paired: {median(on[index] / off[index] for on, off in both):.3f}")


def _seconds(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """The wall time and CPU time of a command; load disturbs CPU time less. The server's time is not included."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
