"""Scaling laws of neural networks: published laws, optima, fits, and a lab that trains ladders of real models.

The rooms, and who may enter them, are drawn in the README. Nothing is imported here, so that a
command that only adds two numbers never waits for SciPy, and the page never loads torch.
"""

__version__ = "0.4.0"
