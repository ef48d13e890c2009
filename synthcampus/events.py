"""What goes wrong on the campus: the kinds of event, how each unfolds, and when.

Every script is written in its own time, frame 0 being its first labelled frame, so that moving it within a clip changes
nothing else. `schedule` places scripts so that no position in a clip is likelier to be anomalous than another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthcampus.crowd import free_spot, visible_stretch
from synthcampus.people import draw_look, stride_length
from synthcampus.scenes import Place, Route
from synthcampus.tracks import ACTIONS, NO_EVENT, Track
from synthcampus.vehicles import BODY_RADIUS, PAINTS, WHEEL_RADIUS

EVENT_KINDS: dict[str, str] = {
    "bicycle": "appearance",
    "cart": "appearance",
    "car": "appearance",
    "skateboard": "appearance",
    "running": "motion",
    "fighting": "motion",
    "jumping": "motion",
    "against_stream": "motion",
    "gathering": "motion",
    "dispersal": "motion",
}
"""Kinds of event, and whether how it looks or only how it moves gives one away."""

_SPEED = {"bicycle": (2.8, 4.8), "cart": (2.4, 4.2), "car": (3.0, 6.0), "skateboard": (2.3, 4.0)}  # m/s
_SHORTEST_S, _LONGEST_S = 2.0, 8.0
_PADDING_S = 20.0  # how long a script's actors go on before and after, at most


@dataclass
class Script:
    """An event in its own time: actors, and its length in frames (labelled frames are 0 .. length - 1)."""

    kind: str
    tracks: list[Track]
    length: int


def suits(kind: str, place: Place) -> bool:
    """Whether an event can happen in a place."""
    if kind == "against_stream":
        return bool(place.one_way)
    if kind in ("car", "cart"):
        return any(route.drive for route in place.routes)
    return True


def write_script(kind: str, place: Place, fps: float, rng: np.random.Generator) -> Script:
    """Draw how an event of `kind` unfolds in a place."""
    if kind in _SPEED:
        return _pass_through(kind, place, fps, rng)
    writers = {
        "running": _change_of_gait, "against_stream": _change_of_gait, "fighting": _fight, "jumping": _jump,
        "gathering": _gather, "dispersal": _disperse,
    }  # fmt: skip
    return writers[kind](kind, place, fps, rng)


def _track(look, kind, start, xyh, phase, action, event, style=1.0, colour=(120, 120, 120)) -> Track:
    xyh = np.asarray(xyh, float)
    n = len(xyh)
    action = np.broadcast_to(np.asarray(action, np.int8), n).copy()
    event = np.where(np.broadcast_to(event, n), 0, NO_EVENT).astype(np.int16)
    return Track(
        look, kind, start, xyh[:, 0], xyh[:, 1], xyh[:, 2], np.asarray(phase, float), action, event, style, colour
    )


def _pick_route(place: Place, kind: str, rng) -> tuple[Route, float, float, float]:
    """A route, where along it the view begins and ends, and a speed that keeps the event within its length."""
    slow, fast = _SPEED[kind]
    options = []
    for route in place.routes:
        if (kind in ("car", "cart") and not route.drive) or route.width < 2.3:
            continue
        stretch = visible_stretch(place, route)
        if stretch is None:
            continue
        reach = BODY_RADIUS[kind]
        first, last = stretch[0] - reach, stretch[1] + reach
        speed = float(np.clip(rng.uniform(slow, fast), (last - first) / _LONGEST_S, (last - first) / _SHORTEST_S))
        options.append((max(speed / fast, slow / speed, 1.0), route, first, last, speed))
    fit = [option for option in options if option[0] <= 1.02] or [min(options, key=lambda option: option[0])]
    _, route, first, last, speed = fit[rng.integers(len(fit))]
    if rng.random() < 0.5 and not (route.drive and route.weight == 0):
        route, first, last = route.reversed(), route.length - last, route.length - first
    return route, first, last, speed


def _pass_through(kind: str, place: Place, fps: float, rng) -> Script:
    """A vehicle crosses the view."""
    route, first, last, speed = _pick_route(place, kind, rng)
    length = max(2, round((last - first) / speed * fps))
    distance = first + np.arange(length) / fps * speed
    side = rng.uniform(-0.5, 0.5) * max(0.0, route.width - 2 * min(BODY_RADIUS[kind], 1.0))
    phase = distance / WHEEL_RADIUS[kind]
    colour = tuple(map(float, PAINTS[rng.integers(len(PAINTS))]))
    if kind == "skateboard":
        phase = np.arange(length) / fps * 4.0
    return Script(
        kind, [_track(draw_look(rng), kind, 0, route.at(distance, side), phase, 0, True, 1.0, colour)], length
    )


def _change_of_gait(kind: str, place: Place, fps: float, rng) -> Script:
    """A walker starts to run, or turns round and walks against the stream, and later falls back into step."""
    if kind == "against_stream":
        route, pace, action = place.one_way[rng.integers(len(place.one_way))], -rng.uniform(1.25, 1.7), "walk"
    else:
        routes = [r for r in place.routes if r.weight > 0 and visible_stretch(place, r)]
        route, pace, action = routes[rng.integers(len(routes))], rng.uniform(2.9, 4.3), "run"
        if rng.random() < 0.5 and not route.one_way:
            route = route.reversed()
    low, high = visible_stretch(place, route)
    near = [s for s in np.arange(low, high, 0.5) if place.camera.depth_of(*route.at(np.array([s]))[0, :2]) < 30]
    low, high = (min(near), max(near)) if near else (low, high)
    seconds = float(np.clip(rng.uniform(3.0, _LONGEST_S), _SHORTEST_S, max(_SHORTEST_S, (high - low) / abs(pace))))
    length, pad = round(seconds * fps), int(_PADDING_S * fps)
    span = abs(pace) * seconds
    start = rng.uniform(low, max(low, high - span)) + (span if pace < 0 else 0.0)
    stroll = rng.uniform(1.15, 1.45)
    frames = np.arange(-pad, length + pad)
    inside = (frames >= 0) & (frames < length)
    velocity = np.where(inside, pace, stroll) / fps
    # a change of pace takes a third of a second
    velocity = np.convolve(np.pad(velocity, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    distance = start + np.cumsum(velocity) - velocity[: pad + 1].sum()
    xyh = route.at(distance, rng.uniform(-0.35, 0.35) * (route.width - 1.0))
    turned = np.convolve(np.pad(np.where(velocity < 0, np.pi, 0.0), 2, mode="edge"), np.ones(5) / 5, mode="valid")
    xyh[:, 2] += turned
    look = draw_look(rng)
    stride = np.where(inside, stride_length(action, look.height), stride_length("walk", look.height))
    phase = np.cumsum(2 * np.pi * np.abs(velocity) / stride)
    actions = np.where(inside, ACTIONS.index(action), ACTIONS.index("walk"))
    keep = (distance > -3) & (distance < route.length + 1)
    first = int(np.argmax(keep))
    last = len(keep) - int(np.argmax(keep[::-1]))
    cut = slice(first, last)
    return Script(kind, [_track(look, "person", first - pad, xyh[cut], phase[cut], actions[cut], inside[cut])], length)


def _spot(place: Place, rng, radius: float) -> tuple[float, float]:
    for room, depth in ((radius, (9.0, 19.0)), (radius * 0.6, (8.0, 26.0)), (0.2, (5.0, 60.0))):
        spot = free_spot(place, rng, radius=room, depth=depth, margin=0.14)
        if spot is not None:
            return spot
    return place.camera.ground(place.camera.size[1] / 2, place.camera.size[0] * 0.65)


def _fight(kind: str, place: Place, fps: float, rng) -> Script:
    """Two people come to blows; before and after they stand face to face."""
    x, y = _spot(place, rng, 1.4)
    length, pad = round(rng.uniform(3.0, _LONGEST_S) * fps), int(_PADDING_S * fps)
    frames = np.arange(-pad, length + pad)
    inside = (frames >= 0) & (frames < length)
    time = np.clip(frames, 0, length) / fps
    turn = rng.uniform(0, 2 * np.pi) + 0.55 * np.sin(1.3 * time) + 0.35 * time * rng.choice([-1, 1])
    gap = np.where(inside, 0.40 + 0.14 * np.sin(4.1 * time), 0.55)
    gap = np.convolve(np.pad(gap, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    cx, cy = x + 0.35 * np.sin(0.9 * time), y + 0.35 * np.sin(1.1 * time)
    actions = np.where(inside, ACTIONS.index("fight"), ACTIONS.index("stand"))
    tracks = []
    for side in (0, 1):
        angle = turn + np.pi * side
        xyh = np.stack([cx + gap * np.cos(angle), cy + gap * np.sin(angle), angle + np.pi], axis=1)
        phase = np.where(inside, 9.5 * time, frames / fps * 4.2) + 1.3 * side
        tracks.append(_track(draw_look(rng), "person", -pad, xyh, phase, actions, inside, float(side)))
    return Script(kind, tracks, length)


def _jump(kind: str, place: Place, fps: float, rng) -> Script:
    """Somebody, sometimes two, jump up and down on the spot."""
    x, y = _spot(place, rng, 1.0)
    length, pad = round(rng.uniform(3.0, _LONGEST_S) * fps), int(_PADDING_S * fps)
    frames = np.arange(-pad, length + pad)
    inside = (frames >= 0) & (frames < length)
    actions = np.where(inside, ACTIONS.index("jump"), ACTIONS.index("stand"))
    tracks, heading = [], rng.uniform(0, 2 * np.pi)
    for k in range(1 + (rng.random() < 0.4)):
        rate = 2 * np.pi * rng.uniform(0.95, 1.25)
        phase = np.where(inside, frames / fps * rate, frames / fps * 4.2)
        xyh = np.tile([x + 1.0 * k, y + 0.3 * k, heading + np.pi * k], (len(frames), 1))
        tracks.append(_track(draw_look(rng), "person", -pad, xyh, phase, actions, inside, 0.3))
    return Script(kind, tracks, length)


def _ways_out(place: Place, x: float, y: float, n: int, rng) -> list[tuple[float, float]]:
    """For n people around (x, y): direction and metres until out of view, over free ground where there is some."""
    ways = []
    for attempt in range(200):
        turn = rng.uniform(0, 2 * np.pi)
        steps = np.arange(1.0, 30.0, 0.5)
        xs, ys = x + steps * np.cos(turn), y + steps * np.sin(turn)
        hidden = np.flatnonzero(~place.camera.sees(xs, ys))
        if not len(hidden) or steps[hidden[0]] > 14 + attempt / 20:
            continue
        reach = steps[hidden[0]]
        free = all(place.is_free(u, v, 0.4) for u, v in zip(xs[: hidden[0]], ys[: hidden[0]], strict=True))
        if free or attempt > 120:
            ways.append((turn, float(reach) + 0.7))
        if len(ways) == n:
            break
    while len(ways) < n:
        ways.append((rng.uniform(0, 2 * np.pi), 12.0))
    return ways


def _ring(n: int, rng) -> np.ndarray:
    """Places (n, 2) of n people crowded around the origin."""
    turn = np.arange(n) * 2.399963 + rng.uniform(0, 6.28)  # golden angle
    return np.stack([np.cos(turn), np.sin(turn)], axis=1) * (0.36 * np.sqrt(np.arange(n) + 0.7))[:, None]


def _gather(kind: str, place: Place, fps: float, rng) -> Script:
    """People hurry in from all sides and crowd around one spot; then they walk off."""
    x, y = _spot(place, rng, 1.2)
    n = int(rng.integers(6, 10))
    length, pad = round(rng.uniform(4.5, _LONGEST_S) * fps), int(_PADDING_S * fps)
    frames = np.arange(0, length + pad)
    tracks = []
    for (turn, reach), (px, py) in zip(_ways_out(place, x, y, n, rng), _ring(n, rng), strict=True):
        look, pace = draw_look(rng), rng.uniform(2.4, 3.4)
        delay = rng.uniform(0, 0.8)
        towards = np.clip(reach - pace * (frames / fps - delay), 0, reach)
        leaving = np.clip((frames - length) / fps - rng.uniform(0, 1.5), 0, None) * 1.3
        out = turn + rng.normal(0, 0.15)
        away = towards + leaving
        direction = np.where(leaving > 0, out, turn)
        centre = np.exp(-away / 1.5)
        xs, ys = x + px * centre + away * np.cos(direction), y + py * centre + away * np.sin(direction)
        inward = np.arctan2(-py, -px)
        heading = np.where(leaving > 0, out, np.where(towards > 0.05, turn + np.pi, inward))
        action = np.where(towards > 0.05, "run", np.where(leaving > 0, "walk", "stand"))
        tracks.append(_hurrying(look, xs, ys, heading, action, frames < length, fps))
    return Script(kind, tracks, length)


def _disperse(kind: str, place: Place, fps: float, rng) -> Script:
    """A standing crowd suddenly runs apart, out of view."""
    x, y = _spot(place, rng, 1.2)
    n = int(rng.integers(6, 10))
    pad = int(_PADDING_S * fps)
    ways = _ways_out(place, x, y, n, rng)
    paces = rng.uniform(2.6, 4.2, n)
    seconds = max((reach + 0.5) / pace for (_, reach), pace in zip(ways, paces, strict=True)) + 0.4
    length = round(float(np.clip(seconds, _SHORTEST_S, _LONGEST_S)) * fps)
    frames = np.arange(-pad, length)
    tracks = []
    for (turn, reach), pace, (px, py) in zip(ways, paces, _ring(n, rng), strict=True):
        away = np.clip((frames / fps - rng.uniform(0, 0.35)) * pace, 0, None)
        keep = away <= reach + 2.0
        centre = np.exp(-away / 1.5)
        xs, ys = x + px * centre + away * np.cos(turn), y + py * centre + away * np.sin(turn)
        heading = np.where(away > 0, turn, np.arctan2(-py, -px))
        action = np.where(away > 0, "run", "stand")
        track = _hurrying(draw_look(rng), xs[keep], ys[keep], heading[keep], action[keep], frames[keep] >= 0, fps)
        track.start = -pad
        tracks.append(track)
    return Script(kind, tracks, length)


def _hurrying(look, xs, ys, heading, action, inside, fps) -> Track:
    """A track whose gait follows the ground covered."""
    step = np.hypot(np.diff(xs, prepend=xs[0]), np.diff(ys, prepend=ys[0]))
    stride = np.where(action == "run", stride_length("run", look.height), stride_length("walk", look.height))
    phase = np.cumsum(np.where(action == "stand", 4.2 / fps, 2 * np.pi * step / stride))
    codes = np.array([ACTIONS.index(a) for a in action])
    return _track(look, "person", 0, np.stack([xs, ys, np.unwrap(heading)], axis=1), phase, codes, inside, 0.9)


def schedule(lengths: list[int], n_frames: int, fps: float, turn: float, rng: np.random.Generator) -> list[int]:
    """First frames of a clip's events, so that every frame of the clip is equally likely to lie in one.

    The clip is a window on a circle longer than it by the longest event. The events are laid on the circle without
    overlap, and it is turned by a uniform angle: an event may be in progress when the clip begins, or be cut by its
    end, and the shorter of two is now and then outside altogether. (Events that had to fit into the clip would make its
    middle likelier.) `turn`, in [0, 1), is evenly spread over clips, which evens out a small world too. A first frame
    may be negative, or `n_frames` or more.
    """
    if not lengths:
        return []
    gap = round(0.75 * fps)
    circle = max(n_frames + max(lengths) - 1, sum(lengths) + gap * len(lengths))
    spare = circle - sum(lengths) - gap * len(lengths) if len(lengths) > 1 else 0
    cuts = np.diff([0, *np.sort(rng.integers(0, spare + 1, len(lengths) - 1)), spare])
    starts, position = [0] * len(lengths), int(turn * circle)
    for i, room in zip(rng.permutation(len(lengths)), cuts, strict=True):
        # the stretch of the circle before frame 0 belongs to events in progress when the clip begins
        starts[i] = position % circle - (circle - n_frames)
        position += lengths[i] + gap + int(room)
    return starts
