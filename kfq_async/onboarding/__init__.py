"""Many companies: rows become identification links, under a ledger that survives being killed."""

from kfq_async.onboarding.completion import completing
from kfq_async.onboarding.entries import Entry, State
from kfq_async.onboarding.ledger import Ledger
from kfq_async.onboarding.ledger_sqlite import Run, SqliteLedger
from kfq_async.onboarding.outcomes import Ending, Outcome
from kfq_async.onboarding.outputs import Result, default_output, write_output
from kfq_async.onboarding.report import report
from kfq_async.onboarding.rows import Problem, Row
from kfq_async.onboarding.runner import Onboarding
from kfq_async.onboarding.sources import FileSource, request_rows
from kfq_async.onboarding.statistics import Statistics

__all__ = [
    "Ending",
    "Entry",
    "FileSource",
    "Ledger",
    "Onboarding",
    "Outcome",
    "Problem",
    "Result",
    "Row",
    "Run",
    "SqliteLedger",
    "State",
    "Statistics",
    "completing",
    "default_output",
    "report",
    "request_rows",
    "write_output",
]
