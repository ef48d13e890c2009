"""SynthCampus: a procedural campus under fixed cameras, the project's embedded demo world."""

from synthcampus.events import EVENT_KINDS, suits
from synthcampus.scenes import TEMPLATES, Place, Scene, draw_place, render_scene
from synthcampus.stills import Still, StillObject, render_still
from synthcampus.write import write_world

__all__ = [
    "EVENT_KINDS",
    "TEMPLATES",
    "Place",
    "Scene",
    "Still",
    "StillObject",
    "draw_place",
    "render_scene",
    "render_still",
    "suits",
    "write_world",
]
