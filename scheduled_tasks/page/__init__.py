"""The page: what is wrong now, what ran, what will run, and the forms with which a person acts.

Rows of the ledger come in through `operate` and `alert`, HTML goes out. It speaks with PostgreSQL alone: it needs no
systemd, no root and no clock files, and nothing of `run` imports it.
"""
