"""The ledger as operators see it: what the watch does, and what the commands ask and change.

slots (values) and verdicts decide; account records what no host ran; reconcile and failures record results that runs
could not; host_watch does this machine's part. deployments, pauses, host_pauses, feature_flags, history and status read
and write their tables or files; run_now starts a job. migrations, grants, prune and embedded look after the database.
"""
