"""What monitors outside are told: that slots are judged, and how each job's runs went."""
