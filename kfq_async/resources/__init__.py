"""What can be asked: one resource per file, each method one line over the session's ``send``."""
