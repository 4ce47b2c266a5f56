"""The package inside web frameworks: one module for each, imported by those who use it."""
