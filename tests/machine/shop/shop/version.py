VERSION = "1"  # what a run says it is
