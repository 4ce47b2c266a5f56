"""Files of companies as tables: what kind a file is, its headings and its rows. What a column means is not here."""

from kfq_async.onboarding.input.detect import open_table
from kfq_async.onboarding.input.table import Table, TableRow

__all__ = ["Table", "TableRow", "open_table"]
