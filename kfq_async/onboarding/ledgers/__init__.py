"""Ledgers: the state of every company between runs, in SQLite or PostgreSQL, and the migration between two."""
