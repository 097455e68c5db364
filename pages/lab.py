"""Run on my Mac: a real ladder of models, trained on this machine, with the largest predicted before it is measured."""

from scaling_core.ui.lab import lab_page
from scaling_core.ui.page import page

with page("lab") as theme:
    lab_page(theme)
