"""The commands about alerts: incidents and who has seen them, and how they are told."""
