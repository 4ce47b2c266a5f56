"""Input files as tables: format detection, headings and rows."""

from kfq_async.onboarding.input.detect import open_table
from kfq_async.onboarding.input.table import Table, TableRow

__all__ = ["Table", "TableRow", "open_table"]
