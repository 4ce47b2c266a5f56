"""Wire format: pure functions and values, without I/O, clock or randomness."""
