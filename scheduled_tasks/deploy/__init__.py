"""Deployment: bring a machine to a unit set, and back.

Pure: plan (what an apply would do), limits (what a running job would lose), doctor (findings).
Reading: machine_state, set_folders and journal; analyze and security run systemd-analyze, systemd runs systemctl.
Acting, through effects only: apply and switch (from one set to another), stopped_timers and running_jobs (so that no
run is fired, lost or harmed), start_requests (which slot a start is for), deployment_reports (what was deployed when,
for the database), sets (list, roll back, remove) and releases.
"""
