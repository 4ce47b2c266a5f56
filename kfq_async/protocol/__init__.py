"""How it is written: pure functions and values, without I/O, clock or randomness."""
