"""Traces: the span of each attempt, exported from the ledger to an OTLP receiver (decision 0035)."""
