"""The exporters room: jobs as Kubernetes CronJobs or as crontab lines, for those whom systemd no longer serves.

What comes in: clocks that have been read. What goes out: texts by path and a `Report` that says of each job what
can't be kept. Pure: nothing is applied.
"""
