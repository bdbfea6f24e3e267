"""What people measure: the ledger as metrics for Prometheus, and as traces for OpenTelemetry.

The ledger goes in, read through `operate` and `alert`; text for scrapers and requests to a receiver come out. Nothing
of it is imported by a run.
"""
