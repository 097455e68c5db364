"""What only the pages need: the page guard, inputs that check themselves, charts in the viewer's theme."""
