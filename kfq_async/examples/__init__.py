"""Runnable example services, and the fictitious companies of ``kfq demo``."""
