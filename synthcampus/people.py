"""People: how they look, how they stand and move, and the solids that draw them.

Proportions are fractions of body height after Winter, "Biomechanics and Motor Control of Human Movement" (2009).
A pose is joint angles in radians; the lowest foot is put on the ground, so a walk bobs as a walk does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from synthcampus.figures import Figure

THIGH, SHIN, FOOT = 0.245, 0.246, 0.14
TORSO, SHOULDER, HIP = 0.288, 0.112, 0.055
UPPER_ARM, FOREARM = 0.172, 0.150

_SKIN = [(150, 178, 224), (132, 164, 214), (112, 146, 200), (84, 118, 172), (62, 90, 138), (46, 66, 104)]
_HAIR = [(24, 22, 22), (30, 28, 34), (34, 44, 66), (48, 70, 104), (90, 130, 168), (120, 120, 124)]
_TOPS = [
    (40, 38, 40), (46, 44, 44), (196, 194, 192), (226, 224, 222), (96, 62, 46), (120, 88, 60), (58, 54, 122),
    (50, 46, 150), (70, 98, 72), (112, 136, 118), (74, 150, 186), (92, 80, 112), (156, 142, 184), (118, 116, 114),
    (168, 150, 112), (66, 92, 128), (58, 112, 176), (84, 82, 82), (146, 120, 92), (70, 60, 56),
]  # fmt: skip
_BOTTOMS = [(38, 36, 38), (88, 66, 50), (108, 84, 64), (74, 70, 70), (70, 90, 110), (142, 156, 170), (78, 56, 44)]
_SHOES = [(30, 30, 32), (222, 222, 222), (60, 70, 110), (44, 60, 84), (140, 140, 145)]
_BAGS = [(40, 40, 44), (120, 60, 40), (40, 50, 140), (60, 120, 80), (52, 88, 128), (150, 110, 60)]


@dataclass(frozen=True)
class Look:
    """What a person looks like; lengths in metres, colours BGR."""

    height: float
    build: float
    skin: tuple
    hair: tuple
    hair_style: str  # "short", "long", "tail", "cap"
    top: tuple
    sleeves: str  # "short", "long"
    top_style: str  # "shirt", "coat", "stripes"
    bottom: tuple
    bottom_style: str  # "trousers", "shorts", "skirt"
    shoes: tuple
    bag: str  # "none", "backpack", "shoulder", "hand"
    bag_colour: tuple


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a person's looks."""

    def of(palette, spread=9):
        colour = np.array(palette[rng.integers(len(palette))], float) + rng.normal(0, spread, 3)
        return tuple(np.clip(colour, 14, 242).tolist())

    return Look(
        height=float(np.clip(rng.normal(1.71, 0.085), 1.5, 1.95)),
        build=float(np.clip(rng.normal(1.0, 0.1), 0.82, 1.3)),
        skin=of(_SKIN, 5),
        hair=of(_HAIR, 6),
        hair_style=str(rng.choice(["short", "long", "tail", "cap"], p=[0.5, 0.25, 0.15, 0.1])),
        top=of(_TOPS),
        sleeves=str(rng.choice(["short", "long"])),
        top_style=str(rng.choice(["shirt", "coat", "stripes"], p=[0.66, 0.17, 0.17])),
        bottom=of(_BOTTOMS, 10),
        bottom_style=str(rng.choice(["trousers", "shorts", "skirt"], p=[0.7, 0.17, 0.13])),
        shoes=of(_SHOES, 8),
        bag=str(rng.choice(["none", "backpack", "shoulder", "hand"], p=[0.45, 0.33, 0.12, 0.1])),
        bag_colour=of(_BAGS, 10),
    )


@dataclass
class Pose:
    """Joint angles in radians, pairs are (left, right); `lift` in metres above standing on the ground."""

    hip: tuple[float, float] = (0.0, 0.0)
    knee: tuple[float, float] = (0.04, 0.04)
    spread: tuple[float, float] = (0.05, 0.05)  # legs outwards
    lean: float = 0.03
    sway: float = 0.0  # torso sideways
    twist: float = 0.0  # shoulders against hips
    shoulder: tuple[float, float] = (0.0, 0.0)
    abduct: tuple[float, float] = (0.12, 0.12)
    elbow: tuple[float, float] = (0.25, 0.25)
    nod: float = 0.0
    lift: float = 0.0


def stride_length(action: str, height: float) -> float:
    """Metres covered in one cycle of the gait (two steps)."""
    return height * {"walk": 0.82, "run": 1.55}[action]


def _walk(phase: float, energy: float) -> Pose:
    swing = 0.40 * energy
    left, right = sin(phase), -sin(phase)
    knee_left = 0.08 + 1.0 * max(0.0, cos(phase)) ** 1.6 * energy
    knee_right = 0.08 + 1.0 * max(0.0, -cos(phase)) ** 1.6 * energy
    return Pose(
        hip=(swing * left + 0.06, swing * right + 0.06), knee=(knee_left, knee_right), lean=0.05, twist=-0.12 * left,
        shoulder=(-0.42 * energy * left, -0.42 * energy * right),
        elbow=(0.28 + 0.18 * max(0, -left), 0.28 + 0.18 * max(0, -right)),
    )  # fmt: skip


def _run(phase: float, _: float) -> Pose:
    left, right = sin(phase), -sin(phase)
    return Pose(
        hip=(0.72 * left + 0.22, 0.72 * right + 0.22),
        knee=(0.35 + 1.55 * max(0.0, cos(phase + 0.35)), 0.35 + 1.55 * max(0.0, -cos(phase + 0.35))),
        lean=0.24, twist=-0.25 * left, shoulder=(-0.95 * left, -0.95 * right), abduct=(0.2, 0.2), elbow=(1.55, 1.55),
        lift=0.09 * abs(sin(phase)),
    )  # fmt: skip


def _stand(phase: float, gesture: float) -> Pose:
    talk = max(0.0, sin(0.31 * phase)) * gesture
    return Pose(
        lean=0.02 + 0.02 * sin(0.23 * phase), sway=0.03 * sin(0.17 * phase), spread=(0.07, 0.07),
        shoulder=(0.1 + 0.1 * sin(0.19 * phase), 0.1 + talk * (0.55 + 0.2 * sin(phase))),
        elbow=(0.35, 0.35 + talk * (1.2 + 0.35 * sin(1.3 * phase))),
        nod=0.08 * sin(0.6 * phase),
    )  # fmt: skip


def _fight(phase: float, side: float) -> Pose:
    """Lunges, punches with alternating arms, a kick now and then; `side` shifts one fighter against the other."""
    beat = phase + side * 2.1
    punch_left, punch_right = max(0.0, sin(beat)) ** 2, max(0.0, -sin(beat)) ** 2
    kick = max(0.0, sin(0.37 * beat) - 0.72) / 0.28
    guard = 1.0 - 0.35 * kick
    return Pose(
        hip=(0.38 + 0.75 * kick, -0.28),
        knee=(0.5 - 0.25 * kick, 0.42),
        spread=(0.16, 0.2),
        lean=0.16 + 0.16 * sin(0.5 * beat) - 0.3 * kick,
        sway=0.16 * sin(0.43 * beat),
        twist=0.5 * sin(beat),
        shoulder=(guard * (0.55 + 0.95 * punch_left), guard * (0.55 + 0.95 * punch_right)),
        abduct=(0.35, 0.35),
        elbow=(2.0 - 1.8 * punch_left, 2.0 - 1.8 * punch_right),
    )


def _jump(phase: float, _: float) -> Pose:
    """A crouch, a leap with raised arms, a landing: one leap in 2 pi of phase."""
    turn = phase % (2 * pi)
    air = sin((turn - 0.7 * pi) / (1.1 * pi) * pi) if 0.7 * pi < turn < 1.8 * pi else 0.0
    crouch = max(0.0, sin(turn / 0.7)) if turn < 0.7 * pi else max(0.0, sin((turn - 1.75 * pi) * 4)) * 0.6
    return Pose(
        hip=(0.65 * crouch + 0.3 * air, 0.65 * crouch + 0.45 * air),
        knee=(1.3 * crouch + 0.55 * air, 1.3 * crouch + 0.75 * air),
        spread=(0.12 + 0.12 * air, 0.12 + 0.12 * air),
        lean=0.42 * crouch,
        shoulder=(-0.7 * crouch + 2.6 * air, -0.7 * crouch + 2.6 * air),
        abduct=(0.2 + 0.35 * air, 0.2 + 0.35 * air),
        elbow=(0.3, 0.3),
        lift=0.62 * air,
    )


def _skate(phase: float, _: float) -> Pose:
    """Sideways on the board, knees bent, arms out, rocking gently."""
    rock = sin(0.5 * phase)
    return Pose(
        hip=(0.32, 0.32), knee=(0.62 + 0.12 * rock, 0.62 - 0.12 * rock), spread=(0.34, 0.34), lean=0.26,
        sway=0.1 * rock, shoulder=(0.25, 0.15), abduct=(0.85 + 0.2 * rock, 0.8 - 0.2 * rock),
        elbow=(0.5, 0.4), lift=0.13,
    )  # fmt: skip


POSES = {"walk": _walk, "run": _run, "stand": _stand, "fight": _fight, "jump": _jump, "skate": _skate}


def _leg(hip, angle, knee, out, height):
    """Knee, ankle and toe of a leg hanging from `hip`."""
    a, b = angle, angle - knee
    kx, kz = hip[0] + THIGH * height * sin(a), hip[2] - THIGH * height * cos(a)
    ax, az = kx + SHIN * height * sin(b), kz - SHIN * height * cos(b)
    foot = b * 0.7
    toe = (ax + FOOT * 0.75 * height * cos(foot), hip[1] + 2 * out, az + FOOT * 0.75 * height * sin(foot) - 0.01)
    return (kx, hip[1] + out, kz), (ax, hip[1] + 2 * out, az), toe


def joints(pose: Pose, height: float) -> dict[str, np.ndarray]:
    """Joint positions (3,) in local metres: +x forwards, +y to the left, z up, over the spot between the feet."""
    h = height
    legs = []
    for side, i in ((1, 0), (-1, 1)):
        out = side * pose.spread[i] * THIGH * h
        legs.append(_leg((0.0, side * HIP * h, 0.0), pose.hip[i], pose.knee[i], out, h))
    rise = 0.035 * h - min(leg[k][2] for leg in legs for k in (1, 2)) + pose.lift
    place = {"pelvis": (0.0, 0.0, rise)}
    for name, side, leg in (("left", 1, legs[0]), ("right", -1, legs[1])):
        place[f"{name}_hip"] = (0.0, side * HIP * h, rise)
        for joint, p in zip(("knee", "ankle", "toe"), leg, strict=True):
            place[f"{name}_{joint}"] = (p[0], p[1], p[2] + rise)
    up = (sin(pose.lean), -sin(pose.sway), cos(pose.lean) * cos(pose.sway))
    neck = tuple(base + TORSO * h * u for base, u in zip(place["pelvis"], up, strict=True))
    place["neck"] = neck
    place["head"] = (neck[0] + 0.115 * h * sin(pose.lean + pose.nod), neck[1], neck[2] + 0.115 * h)
    for name, side, i in (("left", 1, 0), ("right", -1, 1)):
        c, s = cos(pose.twist), sin(pose.twist)
        shoulder = (neck[0] - side * SHOULDER * h * s, neck[1] + side * SHOULDER * h * c, neck[2] - 0.03 * h)
        angle, out = pose.shoulder[i] + pose.lean, pose.abduct[i]
        elbow = (
            shoulder[0] + UPPER_ARM * h * sin(angle) * cos(out),
            shoulder[1] + side * UPPER_ARM * h * sin(out),
            shoulder[2] - UPPER_ARM * h * cos(angle) * cos(out),
        )
        bend, inward = angle + pose.elbow[i], out * 0.4
        hand = (
            elbow[0] + FOREARM * h * sin(bend) * cos(inward),
            elbow[1] + side * FOREARM * h * sin(inward) * (1 if pose.elbow[i] < 1 else -1),
            elbow[2] - FOREARM * h * cos(bend) * cos(inward),
        )
        place |= {f"{name}_shoulder": shoulder, f"{name}_elbow": elbow, f"{name}_hand": hand}
    return {name: np.array(p) for name, p in place.items()}


def dress(look: Look, j: dict[str, np.ndarray]) -> Figure:
    """Solids of a person whose joints are at `j` (local metres)."""
    figure, h, b = Figure(), look.height, look.build
    bare = look.bottom_style != "trousers"
    for side in ("left", "right"):
        hip, knee, ankle, toe = (j[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "toe"))
        thigh = look.bottom if look.bottom_style != "skirt" else look.skin
        figure.capsule(hip, knee, 0.052 * h * b, 0.036 * h * b, thigh)
        figure.capsule(knee, ankle, 0.034 * h * b, 0.024 * h, look.skin if bare else look.bottom)
        figure.capsule(ankle - (0, 0, 0.012 * h), toe, 0.024 * h, 0.018 * h, look.shoes)
        shoulder, elbow, hand = (j[f"{side}_{part}"] for part in ("shoulder", "elbow", "hand"))
        figure.capsule(shoulder, elbow, 0.031 * h * b, 0.026 * h * b, look.top)
        figure.capsule(elbow, hand, 0.025 * h * b, 0.019 * h, look.top if look.sleeves == "long" else look.skin)
        figure.capsule(hand, hand + (hand - elbow) * 0.22, 0.019 * h, 0.017 * h, look.skin)
    _torso(figure, look, j)
    _head(figure, look, j)
    _bag(figure, look, j)
    return figure


def _torso(figure: Figure, look: Look, j: dict[str, np.ndarray]) -> None:
    h, b = look.height, look.build
    pelvis, neck = j["pelvis"], j["neck"]
    hips = [j["left_hip"], j["right_hip"]]
    up = neck - pelvis
    inner = [s + (neck - s) * 0.25 - up * 0.06 for s in (j["left_shoulder"], j["right_shoulder"])]
    figure.hull([*hips, pelvis + up * 0.12], [0.05 * h * b, 0.05 * h * b, 0.06 * h * b], look.bottom)
    hem = [p + up * (0.1 if look.top_style != "coat" else -0.28) for p in hips]
    figure.hull([*inner, *hem], [0.042 * h, 0.042 * h, 0.054 * h * b, 0.054 * h * b], look.top, -0.02)
    if look.top_style == "stripes":
        pale = tuple(min(245.0, c * 0.5 + 120) for c in look.top)
        for level in (0.35, 0.62):
            ring = [a + (s - a) * level for a, s in zip(hem, inner, strict=True)]
            figure.hull(ring, [0.05 * h * b] * 2, pale, -0.03)
    if look.bottom_style == "skirt":
        knees = [(j[f"{s}_hip"] + 2 * j[f"{s}_knee"]) / 3 for s in ("left", "right")]
        figure.hull([*hips, *knees], [0.05 * h * b, 0.05 * h * b, 0.062 * h * b, 0.062 * h * b], look.bottom, -0.01)


def _head(figure: Figure, look: Look, j: dict[str, np.ndarray]) -> None:
    h, neck, head = look.height, j["neck"], j["head"]
    figure.capsule(neck, neck + (head - neck) * 0.6, 0.03 * h, 0.028 * h, look.skin)
    figure.capsule(head + (0.004 * h, 0, -0.02 * h), head + (0, 0, 0.02 * h), 0.046 * h, 0.052 * h, look.skin, -0.02)
    colour = look.hair
    back = head + (-0.022 * h, 0, 0.018 * h)
    figure.hull([back, head + (0.0, 0, 0.035 * h)], [0.052 * h, 0.047 * h], colour, 0.012)
    figure.hull([head + (0.012 * h, 0, 0.05 * h), back + (0, 0, 0.022 * h)], [0.036 * h, 0.04 * h], colour, -0.05)
    if look.hair_style == "long":
        figure.hull([back, neck + (-0.035 * h, 0, 0.0)], [0.052 * h, 0.05 * h], colour, 0.02)
    elif look.hair_style == "tail":
        figure.capsule(back + (-0.03 * h, 0, 0), neck + (-0.06 * h, 0, -0.01 * h), 0.022 * h, 0.012 * h, colour)
    elif look.hair_style == "cap":
        top = head + (0.0, 0, 0.045 * h)
        figure.hull([top, top + (0.07 * h, 0, -0.012 * h)], [0.05 * h, 0.014 * h], look.bag_colour, -0.07)


def _bag(figure: Figure, look: Look, j: dict[str, np.ndarray]) -> None:
    h, pelvis, neck = look.height, j["pelvis"], j["neck"]
    up = neck - pelvis
    if look.bag == "backpack":
        behind = np.array([-0.095 * h, 0, 0])
        corners = [pelvis + up * t + behind + (0, s * 0.055 * h, 0) for t in (0.35, 0.82) for s in (-1, 1)]
        figure.hull(corners, [0.045 * h] * 4, look.bag_colour)
    elif look.bag == "shoulder":
        at = j["left_hip"] + (0, 0.06 * h, -0.02 * h)
        corners = [at + (-0.06 * h, 0, 0), at + (0.06 * h, 0, 0), at + (0, 0, -0.06 * h)]
        figure.hull(corners, [0.03 * h] * 3, look.bag_colour)
        figure.capsule(j["right_shoulder"] + (0, 0.03 * h, 0.02 * h), at, 0.008 * h, 0.008 * h, look.bag_colour, -0.06)
    elif look.bag == "hand":
        at = j["right_hand"] + (0, 0, -0.11 * h)
        corners = [at + (-0.05 * h, 0, 0), at + (0.05 * h, 0, 0), at + (0, 0, -0.07 * h)]
        figure.hull(corners, [0.02 * h] * 3, look.bag_colour)


def person(look: Look, action: str, phase: float, style: float = 1.0) -> Figure:
    """A person in local metres doing `action` (a key of `POSES`) at `phase`; `style` is the pose's own parameter."""
    return dress(look, joints(POSES[action](phase, style), look.height))
