"""`python -m scheduled_tasks.cli` is `clocks`."""

from scheduled_tasks.cli import main

main(prog_name="clocks")
