"""The sandbox's HTML pages: one module for each page with its handlers; no scripts, no external assets."""
