"""What is said about an incident: the facts that the ledger has of it, and the message as text, HTML and JSON."""
