"""Export jobs as Kubernetes CronJobs or as crontab lines, with a report of what can't be kept.

The exporters take clocks that were read and return texts or objects by path; they write nothing.
"""
