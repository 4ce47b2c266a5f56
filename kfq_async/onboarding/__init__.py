"""Onboarding of many companies: rows become identification links, recorded in a ledger that survives a kill."""

from kfq_async.onboarding.completion import completion_handler
from kfq_async.onboarding.input.source import FileSource, request_rows
from kfq_async.onboarding.ledgers.base import Ledger
from kfq_async.onboarding.ledgers.sqlite import Run, SqliteLedger
from kfq_async.onboarding.output.files import Result, default_output, write_output
from kfq_async.onboarding.output.report import report
from kfq_async.onboarding.output.statistics import Statistics
from kfq_async.onboarding.records import Entry, Outcome, OutcomeStatus, Problem, Row, State
from kfq_async.onboarding.runner import Onboarding

__all__ = [
    "Entry",
    "FileSource",
    "Ledger",
    "Onboarding",
    "Outcome",
    "OutcomeStatus",
    "Problem",
    "Result",
    "Row",
    "Run",
    "SqliteLedger",
    "State",
    "Statistics",
    "completion_handler",
    "default_output",
    "report",
    "request_rows",
    "write_output",
]
