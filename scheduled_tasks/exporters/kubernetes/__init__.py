"""Write clocks as Kubernetes objects, as people keep them in git, with a report of what a CronJob can't keep.

A file for each clock, with its CronJobs and their manifest; a Deployment that watches them, so that the ledger accounts
for their slots; a configuration, a skeleton of the Secrets, and a kustomization; or all of it as a Helm chart. The
objects are plain dictionaries in a fixed order without times, so that a second export of the same clocks is the same.
"""

from scheduled_tasks.exporters.kubernetes.cluster import Cluster
from scheduled_tasks.exporters.kubernetes.export import Exported, export
from scheduled_tasks.exporters.kubernetes.options import KEPT_OPTIONS, LEFT_OUT

__all__ = ["KEPT_OPTIONS", "LEFT_OUT", "Cluster", "Exported", "export"]
