"""Approaches 1 and 2: the size of least loss at each of several computes, and how it grows; `isoflop`, `envelope`."""
