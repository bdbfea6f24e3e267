"""The commands that hand figures of the ledger to other programs."""
