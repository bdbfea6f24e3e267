"""What the screens read of the ledger, beyond what `operate` reads: each query is bounded and walks an index."""
