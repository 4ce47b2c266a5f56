"""What is said to SQLite: the tables of a ledger, and the statements over them."""

from __future__ import annotations

from kfq_async.onboarding.entries import ENDED, FIXED, TOLD, Entry

MARK = 0x6B66716C
"""SQLite's ``application_id`` of a ledger: the letters ``kfql``."""
VERSION = 1
"""SQLite's ``user_version`` of a ledger, one more with every change of its tables."""
PAGE = 500
"""Entries that are read at a time."""
SIZES = (1, 5, 20, 50, 100, 150, 200, 300, 400, 500)
"""Entries in one statement. There are few sizes, since to prepare a statement takes SQLite as long as to run it, and
prepared ones are kept. They are large, since each statement gives way to the event loop's thread and waits for it
again: many statements of a few entries would cost both of them more than the writing does."""

COLUMNS = Entry._fields
SCHEMA = f"""
CREATE TABLE entries (
    key BLOB NOT NULL, generation INTEGER NOT NULL, client_request_id TEXT NOT NULL UNIQUE,
    {", ".join(name for name in COLUMNS[3:])},
    PRIMARY KEY (key, generation)
);
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL, counts TEXT);
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
HOLDER = "SELECT value FROM facts WHERE name = 'holder'"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608  # our own names
LATEST = f"{SELECT} AS it WHERE generation = (SELECT max(generation) FROM entries WHERE key = it.key)"  # noqa: S608
FINISHED = f"""
SELECT key FROM ({LATEST}) WHERE (state = ? AND ended_at < ?) OR (status IN (?, ?, ?) AND status_at < ?)
"""  # noqa: S608
COMPLETE = """
UPDATE entries SET status = ?, status_at = ? WHERE client_request_id = ? AND (status IS NULL OR status = ?)
"""

PUT = COLUMNS
"""What `put` writes, in its order."""
SETTLED = ("key", "generation", *ENDED)
"""What `settle` writes, in its order."""
_CHANGING = tuple(name for name in COLUMNS if name not in FIXED and name not in TOLD)


def put(names: tuple[str, ...], rows: int) -> str:
    """Return the statement that writes so many entries of which these fields are set; the others become NULL."""
    return f"""
        INSERT INTO entries ({", ".join(names)}) VALUES {_marks(len(names), rows)}
        ON CONFLICT (key, generation) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}
    """  # noqa: S608  # our own names


def settle(names: tuple[str, ...], rows: int) -> str:
    """Return the statement that writes the ends of so many entries of which these fields are set."""
    changes = ", ".join(f"{name} = {f'new_{name}' if name in names else 'NULL'}" for name in ENDED)
    return f"""
        WITH new ({", ".join(f"new_{name}" for name in names)}) AS (VALUES {_marks(len(names), rows)})
        UPDATE entries SET {changes} FROM new WHERE key = new_key AND generation = new_generation
    """  # noqa: S608  # our own names


def find(rows: int) -> str:
    """Return the statement that finds all generations of so many companies, the latest last."""
    return f"{SELECT} WHERE key IN ({', '.join('?' * rows)}) ORDER BY generation"


def _marks(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)
