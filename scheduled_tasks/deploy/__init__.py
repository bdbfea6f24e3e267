"""The deploy room: bring a machine to a set of units, and back.

Without side effects: plan (what an apply would do), limits (what a running job would lose), service_groups (services
that are alike), doctor (findings about a machine).
Reading: machine_state, set_folders and journal; analyze and security ask systemd-analyze, systemd runs systemctl.
Acting, through effects only: apply and switch (from one set to another), stopped_timers (so that no run is fired or
lost), running_jobs (so that none is harmed), start_requests (which slot a start is for), deployment_reports (what the
database will be told was deployed), sets (list, roll back, remove) and releases.
"""
