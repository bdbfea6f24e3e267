"""What a person on call needs: the log lines of a run on any host, and what to do about an alarm."""
