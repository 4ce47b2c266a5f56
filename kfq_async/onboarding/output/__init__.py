"""Results of a run: the output table, the HTML report, its charts and its statistics."""
