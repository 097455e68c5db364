"""How runs enter a fit: a table from anywhere, understood and checked; `table` is the door."""
