"""The deploy room: bring a machine to a set of unit files, and back.

Values, without side effects: plan (what an apply would do), limits (what a running job would lose), service_groups
(services that are alike), doctor (the findings about a machine).
Reading: machine_state, set_folders, journal; analyze and security run systemd-analyze; systemd runs systemctl.
Acting: apply and switch (one set to another), stopped_timers (no run fires or is lost), running_jobs (none is harmed),
start_requests (which slot a start is for), sets (list, roll back, remove) and releases. They change the machine through
effects only.
"""
