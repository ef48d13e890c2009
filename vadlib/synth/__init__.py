"""SynthCampus: a procedural campus under fixed cameras, the project's embedded demo world."""

from vadlib.synth.events import EVENT_KINDS
from vadlib.synth.scenes import TEMPLATES, draw_place, render_scene
from vadlib.synth.write import write_world

__all__ = ["EVENT_KINDS", "TEMPLATES", "draw_place", "render_scene", "write_world"]
