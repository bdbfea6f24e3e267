"""The commands of alerts: incidents, notices and monitors outside."""
