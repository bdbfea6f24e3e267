"""What other systems read: metrics and traces, from the ledger."""
