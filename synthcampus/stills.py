"""Single pictures with labelled objects, for training networks on scenes with other seeds than a world's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthcampus.crowd import Crowd, standing_groups
from synthcampus.events import EVENT_KINDS, suits, write_script
from synthcampus.render import FrameRenderer, Light
from synthcampus.scenes import Scene
from synthcampus.tracks import ACTIONS, NO_EVENT
from vadlib.errors import ParameterError

_FPS = 12.0


@dataclass(frozen=True)
class StillObject:
    """One actor: what it is or does, where (left, top, right, bottom in pixels), and its event or None.

    `label` is "bicycle", "cart", "car", "skateboard", or what a person does: "walk", "run", "stand", "fight", "jump".
    """

    label: str
    box: tuple[int, int, int, int]
    event: str | None


@dataclass(frozen=True)
class Still:
    """A picture uint8 (H, W, 3), BGR; its objects from far to near; mask uint8 (H, W), 1 on anomalous actors."""

    image: np.ndarray
    objects: tuple[StillObject, ...]
    mask: np.ndarray
    template: str


def render_still(
    scene: Scene, rng: np.random.Generator, *, kind: str | None = None, busy: float | None = None
) -> Still:
    """Render one moment of a scene.

    Parameters
    ----------
    scene : Scene
        From `render_scene(draw_place(seed, template, size))`; worth keeping for many pictures.
    rng : numpy.random.Generator
        Draws people, moment, light and noise.
    kind : str, optional
        A key of `EVENT_KINDS`: the picture shows a moment of such an event. None: normal life.
    busy : float, optional
        People walking in view on average; drawn from 1 to 8 where not given.

    Returns
    -------
    Still

    Raises
    ------
    ParameterError
        Unknown `kind`, or one that cannot happen in this scene.
    """
    place, tracks, moment = scene.place, [], 0
    if kind is not None:
        if kind not in EVENT_KINDS:
            raise ParameterError(f"kind: expected one of {', '.join(EVENT_KINDS)}; got {kind!r}")
        if not suits(kind, place):
            raise ParameterError(f"kind: a {place.template} scene has no {kind}; ask `suits` first")
        script = write_script(kind, place, _FPS, rng)
        tracks, moment = list(script.tracks), int(rng.integers(script.length))
        for track in tracks:
            track.start -= moment
    here = [(track, track.index(0)) for track in tracks]
    taken = [(float(track.x[i]), float(track.y[i])) for track, i in here if i is not None]
    tracks += standing_groups(place, 1, _FPS, rng, taken)
    tracks += Crowd(place, _FPS, rng, list(tracks), rng.uniform(1, 8) if busy is None else busy).run(1)
    light = Light.draw(1, _FPS, len(scene.scenery.sunny), rng)
    renderer = FrameRenderer(scene, tracks, light, rng)
    image, mask = renderer.frame(0)
    height, width = place.camera.size
    objects = []
    for track, i, (left, top, right, bottom) in renderer.drawn:
        box = (max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1))
        if max(0, box[2] - box[0]) * max(0, box[3] - box[1]) > 0.3 * (right - left) * (bottom - top):
            label = ACTIONS[track.action[i]] if track.kind == "person" else track.kind
            objects.append(StillObject(label, box, kind if track.event[i] != NO_EVENT else None))
    return Still(image, tuple(objects), np.zeros((height, width), np.uint8) if mask is None else mask, place.template)
