"""Learn: study paths, ten projects and the reading list, each with the place in the app where it is done."""

from scaling_core.ui.learn import learn_page
from scaling_core.ui.page import page

with page("learn") as theme:
    learn_page(theme)
