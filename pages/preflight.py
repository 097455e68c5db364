"""Pre-flight: whether everything that a talk needs is there, green before going on stage."""

from scaling_core.ui.page import page
from scaling_core.ui.preflight import preflight_page

with page("preflight") as theme:
    preflight_page(theme)
