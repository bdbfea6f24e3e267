"""What people measure: the ledger as metrics for Prometheus.

The ledger goes in, read through `operate` and `alert`; text for scrapers comes out. Nothing of it is imported by a run.
"""
