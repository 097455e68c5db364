"""Story: the scenes of the talk in their order, and the pictures that only the story has."""

from scaling_core.ui.page import page
from scaling_core.ui.story import story_page

with page("story") as theme:
    story_page(theme)
