"""Many companies: rows become identification links, under a ledger that survives being killed."""

from kfq_async.onboarding.completion import completing
from kfq_async.onboarding.entries import Entry, State
from kfq_async.onboarding.ledger import Ledger
from kfq_async.onboarding.ledger_sqlite import Run, SqliteLedger
from kfq_async.onboarding.outcomes import Ending, Outcome
from kfq_async.onboarding.rows import Problem, Row
from kfq_async.onboarding.runner import Onboarding

__all__ = [
    "Ending",
    "Entry",
    "Ledger",
    "Onboarding",
    "Outcome",
    "Problem",
    "Row",
    "Run",
    "SqliteLedger",
    "State",
    "completing",
]
