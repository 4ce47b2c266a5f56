"""What is said to PostgreSQL: the tables of a ledger, and the statements over them."""

from __future__ import annotations

from kfq_async.onboarding.entries import ENDED, FIXED, TOLD, Entry

VERSION = "1"
"""Of the tables, one more with every change of them."""
PAGE = 500
"""Entries that are read at a time."""

COLUMNS = Entry._fields
CHANGING = tuple(name for name in COLUMNS if name not in (*FIXED, *TOLD))
TABLES = """
CREATE TABLE facts (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE runs (run bigint PRIMARY KEY, began_at double precision NOT NULL);
CREATE TABLE entries (
    key bytea NOT NULL, generation integer NOT NULL, client_request_id text NOT NULL UNIQUE, body bytea NOT NULL,
    state text NOT NULL, number bigint NOT NULL, run bigint NOT NULL, label text, order_no text, auth_url text,
    code bigint, words text, attempts integer NOT NULL, seconds double precision, opened_at double precision NOT NULL,
    ended_at double precision, status integer, status_at double precision,
    PRIMARY KEY (key, generation)
);
CREATE INDEX by_place ON entries (number, key, generation);
CREATE TABLE requests (
    client_request_id text PRIMARY KEY REFERENCES entries (client_request_id) ON DELETE CASCADE, sealed bytea NOT NULL
)
"""
PUT = f"""
INSERT INTO entries ({", ".join(COLUMNS)}) VALUES ({", ".join("%s" for _ in COLUMNS)})
ON CONFLICT (key, generation) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in CHANGING)}
"""  # noqa: S608  # our own names
SETTLE = f"""
UPDATE entries SET {", ".join(f"{name} = %s" for name in ENDED)} WHERE key = %s AND generation = %s
"""  # noqa: S608
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608
LATEST = "generation = (SELECT max(generation) FROM entries AS other WHERE other.key = entries.key)"
FIND = f"{SELECT} WHERE key = ANY(%s) AND {LATEST}"
PART = f"""
{SELECT} WHERE state = ANY(%s) AND (number, key) > (%s, %s) AND {LATEST} ORDER BY number, key LIMIT {PAGE}
"""
COMPLETE = """
UPDATE entries SET status = %s, status_at = %s WHERE client_request_id = %s AND (status IS NULL OR status = %s)
"""
SESSION = """
SELECT set_config('search_path', %s, false), set_config('application_name', 'kfq_async onboarding', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)
"""
"""Settings of each connection; what is committed must survive a power cut, whatever the database's default."""
SET_FACT = "INSERT INTO facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
