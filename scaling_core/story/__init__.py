"""The story of a talk: its scenes, where they lie, the numbers in their sentences, and a scene as one address."""

from scaling_core.story.facts import told
from scaling_core.story.link import PARAMETER, Link, View, packed_scene, unpacked_scene
from scaling_core.story.scene import LONGEST, MOST_SCENES, NEEDS, Need, Scene, free_id, read_story, written
from scaling_core.story.shelf import Story, change, forget, is_own, published, story
from scaling_core.story.state import LATEST, OWN, PARTS, PICTURES, Part, changed, chosen, law_of, number_of, part

__all__ = [
    "LATEST",
    "LONGEST",
    "MOST_SCENES",
    "NEEDS",
    "OWN",
    "PARAMETER",
    "PARTS",
    "PICTURES",
    "Link",
    "Need",
    "Part",
    "Scene",
    "Story",
    "View",
    "change",
    "changed",
    "chosen",
    "forget",
    "free_id",
    "is_own",
    "law_of",
    "number_of",
    "packed_scene",
    "part",
    "published",
    "read_story",
    "story",
    "told",
    "unpacked_scene",
    "written",
]
