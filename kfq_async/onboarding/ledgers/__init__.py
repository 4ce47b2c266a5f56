"""Ledgers: each company's state between runs, in SQLite or PostgreSQL, and the migration from one to the other."""
