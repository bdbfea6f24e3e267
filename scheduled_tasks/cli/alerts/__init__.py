"""The commands about alerts: incidents and who has seen them, how they are told, and monitors outside."""
