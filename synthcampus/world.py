"""SynthCampus, planned: which clip shows which scene, how long, and what happens in it.

The plan follows from a world's parameters alone, and every clip's content from (seed, clip id) alone, so that worlds
are the same bit for bit however many processes write them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from synthcampus.crowd import Crowd, standing_groups
from synthcampus.events import EVENT_KINDS, Script, schedule, suits, write_script
from synthcampus.render import FrameRenderer, Light
from synthcampus.scenes import TEMPLATES, Place, Scene, draw_place
from synthcampus.tracks import NO_EVENT, Track
from vadlib.errors import ParameterError


@dataclass(frozen=True)
class WorldParameters:
    """Everything that decides a world's content; see `synthcampus.write_world`."""

    n_train_clips: int
    n_test_clips: int
    n_scenes: int
    seed: int
    clip_seconds: tuple[float, float]
    fps: float
    size: tuple[int, int]

    def __post_init__(self):
        """Refuse what no world can have."""
        for name in ("n_train_clips", "n_test_clips"):
            if getattr(self, name) < 0:
                raise ParameterError(f"{name}: expected 0 or more; got {getattr(self, name)}")
        if not 1 <= self.n_scenes <= 99:
            raise ParameterError(f"n_scenes: expected 1 to 99; got {self.n_scenes}")
        if self.seed < 0:
            raise ParameterError(f"seed: expected 0 or more; got {self.seed}")
        low, high = self.clip_seconds
        if not 0 < low <= high:
            raise ParameterError(f"clip_seconds: expected (shortest, longest), both over 0; got {self.clip_seconds}")
        if not 1 <= self.fps <= 60:
            raise ParameterError(f"fps: expected 1 to 60 frames a second; got {self.fps}")
        if len(self.size) != 2 or min(self.size) < 32 or any(side % 2 for side in self.size):
            raise ParameterError(f"size: expected (height, width), even and at least 32; got {self.size}")
        if self.clip_seconds[1] * self.fps > 999:
            raise ParameterError(
                f"clip_seconds: a clip may have 999 frames (ShanghaiTech's names have three digits); "
                f"{self.clip_seconds[1]:g} s at {self.fps:g} frames a second has more"
            )

    def as_dict(self) -> dict:
        """Plain values, as `world.json` holds them."""
        made = asdict(self)
        return made | {"clip_seconds": list(map(float, self.clip_seconds)), "size": list(self.size)}


@dataclass(frozen=True)
class ClipPlan:
    """What one clip shows.

    `id` and `scene` are ShanghaiTech's (SS_NNN for training, SS_NNNN for test, scenes from 01); `kinds` are its events;
    `turn` in [0, 1) places them (see `events.schedule`).
    """

    id: str
    split: str
    scene: str
    n_frames: int
    kinds: tuple[str, ...]
    turn: float


def scene_seed(parameters: WorldParameters, index: int) -> tuple[int, str]:
    """Seed and template of a world's scene `index` (from 0)."""
    return parameters.seed * 1000 + index, TEMPLATES[index % len(TEMPLATES)]


def draw_places(parameters: WorldParameters) -> list[Place]:
    """All places of a world."""
    return [draw_place(*scene_seed(parameters, i), parameters.size) for i in range(parameters.n_scenes)]


@cache
def planned(parameters: WorldParameters) -> tuple[list[Place], list[ClipPlan]]:
    """A world's places and clips, drawn once in each process."""
    places = draw_places(parameters)
    return places, plan_world(parameters, places)


def _n_events(n_clips: int, rng: np.random.Generator) -> np.ndarray:
    """Events of each test clip: one clip in eight has none, three have one, four have two."""
    counts = np.resize([2, 1, 2, 1, 2, 0, 2, 1], n_clips)
    return rng.permutation(counts)


def plan_world(parameters: WorldParameters, places: list[Place]) -> list[ClipPlan]:
    """Plan every clip of a world: training clips first, then test clips."""
    rng = np.random.default_rng([parameters.seed, 21])
    low, high = parameters.clip_seconds
    plans = []

    def frames() -> int:
        return max(2, round(rng.uniform(low, high) * parameters.fps))

    for i in range(parameters.n_train_clips):
        scene, number = i % parameters.n_scenes, i // parameters.n_scenes
        plans.append(ClipPlan(f"{scene + 1:02d}_{number + 1:03d}", "train", f"{scene + 1:02d}", frames(), (), 0.0))
    n = parameters.n_test_clips
    scenes = [i % parameters.n_scenes for i in range(n)]
    chosen = _choose_kinds(_n_events(n, rng), scenes, places, rng)
    turns = np.zeros(n)
    for count in (1, 2):
        same = rng.permutation(np.array([i for i in range(n) if len(chosen[i]) == count], int))
        turns[same] = (np.arange(len(same)) + rng.random(len(same))) / max(1, len(same))
    for i in range(n):
        scene, number = scenes[i], i // parameters.n_scenes
        plan = ClipPlan(
            f"{scene + 1:02d}_{number + 1:04d}", "test", f"{scene + 1:02d}", frames(), chosen[i], float(turns[i])
        )
        plans.append(plan)
    return plans


def _choose_kinds(counts, scenes: list[int], places: list[Place], rng) -> list[tuple[str, ...]]:
    """Kinds of event for every test clip: the least used that suit the scene, choosiest scenes' kinds first."""
    used = dict.fromkeys(EVENT_KINDS, 0)
    chosen: list[list[str]] = [[] for _ in scenes]
    n_suited = {kind: sum(suits(kind, place) for place in places) for kind in EVENT_KINDS}
    for level in (1, 2):
        for i in rng.permutation(len(scenes)):
            if counts[i] < level:
                continue
            options = [kind for kind in EVENT_KINDS if suits(kind, places[scenes[i]]) and kind not in chosen[i]]
            lone = [rng.random() for _ in options]
            best = min(zip(options, lone, strict=True), key=lambda o: (used[o[0]], n_suited[o[0]], o[1]))[0]
            used[best] += 1
            chosen[i].append(best)
    return [tuple(kinds) for kinds in chosen]


def _clip_generator(parameters: WorldParameters, plan: ClipPlan, part: int) -> np.random.Generator:
    scene, number = plan.id.split("_")
    return np.random.default_rng([parameters.seed, int(plan.split == "test"), int(scene), int(number), part])


def play(parameters: WorldParameters, plan: ClipPlan, place: Place) -> list[Track]:
    """Everybody who appears in a clip; tracks carry the number of their event in `plan.kinds`."""
    rng, fps = _clip_generator(parameters, plan, 31), parameters.fps
    scripts: list[Script] = [write_script(kind, place, fps, rng) for kind in plan.kinds]
    starts = schedule([script.length for script in scripts], plan.n_frames, fps, plan.turn, rng)
    tracks = []
    for number, (script, start) in enumerate(zip(scripts, starts, strict=True)):
        for track in script.tracks:
            track.start += start
            track.event = np.where(track.event != NO_EVENT, number, NO_EVENT).astype(np.int16)
            tracks.append(track)
    taken = [(float(track.x[len(track.x) // 2]), float(track.y[len(track.x) // 2])) for track in tracks]
    tracks += standing_groups(place, plan.n_frames, fps, rng, taken)
    busy = float(rng.uniform(3.5, 7.5))
    tracks += Crowd(place, fps, rng, list(tracks), busy).run(plan.n_frames)
    return tracks


def clip_frames(parameters: WorldParameters, plan: ClipPlan, scene: Scene) -> Iterator[tuple]:
    """Frames of a clip, in order, as (image, mask, kinds of the events in view).

    The image is uint8 (H, W, 3), BGR; the mask uint8 (H, W), 1 on visible pixels of anomalous actors, or None.
    """
    tracks = play(parameters, plan, scene.place)
    rng = _clip_generator(parameters, plan, 32)
    light = Light.draw(plan.n_frames, parameters.fps, len(scene.scenery.sunny), rng)
    renderer = FrameRenderer(scene, tracks, light, rng)
    for t in range(plan.n_frames):
        image, mask = renderer.frame(t)
        numbers = set()
        if mask is not None:
            for track in tracks:
                i = track.index(t)
                if i is not None and track.event[i] != NO_EVENT:
                    numbers.add(int(track.event[i]))
        yield image, mask, tuple(plan.kinds[k] for k in sorted(numbers))
