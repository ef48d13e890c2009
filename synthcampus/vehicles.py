"""Ridden bicycles, skateboards, carts and cars, as solids in local metres: +x forwards, z up."""

from __future__ import annotations

from itertools import pairwise
from math import acos, atan2, cos, hypot, pi, sin

import numpy as np

from synthcampus.figures import Figure
from synthcampus.people import FOREARM, SHIN, THIGH, UPPER_ARM, Look, dress, person

_TYRE, _METAL, _GLASS = (34, 34, 36), (150, 152, 155), (92, 80, 66)
PAINTS = [(228, 228, 226), (60, 60, 64), (40, 40, 170), (150, 90, 40), (190, 186, 180), (70, 120, 60), (40, 150, 210)]


def _disc(figure, x, y, z, radius, colour, bias, sides=14, shade=1.0):
    turn = np.arange(sides) * 2 * pi / sides
    rim = np.stack([x + radius * np.cos(turn), np.full(sides, y), z + radius * np.sin(turn)], axis=1)
    figure.plate(rim, colour, bias, shade)


def _spoked_wheel(figure: Figure, x: float, radius: float, angle: float) -> None:
    """Thin wheel of a bicycle: a rim of short tubes and turning spokes."""
    turn = np.arange(13) * 2 * pi / 12
    rim = [(x + radius * cos(t), 0.0, radius + radius * sin(t)) for t in turn]
    for a, b in pairwise(rim):
        figure.capsule(a, b, 0.024, 0.024, _TYRE)
    for k in range(3):
        t = angle + k * pi / 3
        d = (radius * cos(t), 0.0, radius * sin(t))
        figure.capsule((x - d[0], 0, radius - d[2]), (x + d[0], 0, radius + d[2]), 0.006, 0.006, _METAL)


def bicycle(colour: tuple, angle: float) -> Figure:
    """A bicycle without a rider, its wheels turned by `angle`."""
    figure, r = Figure(), 0.34
    rear, front, crank, seat, head = (-0.5, 0, r), (0.54, 0, r), (-0.06, 0, 0.29), (-0.2, 0, 0.82), (0.38, 0, 0.86)
    for x in (rear[0], front[0]):
        _spoked_wheel(figure, x, r, angle)
    for a, b in ((rear, crank), (rear, seat), (crank, seat), (crank, head), (seat, head), (head, front)):
        figure.capsule(a, b, 0.022, 0.022, colour)
    figure.capsule((-0.3, 0, 0.9), (-0.1, 0, 0.9), 0.05, 0.03, _TYRE)
    figure.capsule(head, (0.36, 0, 1.0), 0.016, 0.016, _METAL)
    figure.capsule((0.38, -0.27, 1.02), (0.38, 0.27, 1.02), 0.018, 0.018, _TYRE)
    return figure


def _bend(a, c, first, second, side):
    """Middle joint between `a` and `c` of a limb with two bones; `side` +1 bends it forwards (a knee), -1 back."""
    dx, dz = c[0] - a[0], c[2] - a[2]
    reach = min(hypot(dx, dz), (first + second) * 0.999)
    angle = acos(np.clip((first**2 + reach**2 - second**2) / (2 * first * reach), -1, 1))
    turn = atan2(dz, dx) + side * angle
    return np.array([a[0] + first * cos(turn), (a[1] + c[1]) / 2, a[2] + first * sin(turn)])


def _seated(look: Look, seat, lean: float, hands, feet) -> Figure:
    """A seated person with hands (left, right) and ankles (left, right) at given places."""
    h, seat = look.height, np.asarray(seat, float)
    neck = seat + np.array([sin(lean), 0, cos(lean)]) * 0.288 * h
    j = {"pelvis": seat, "neck": neck, "head": neck + (0.035 * h, 0, 0.108 * h)}
    for side, sign, hand, foot in (("left", 1, hands[0], feet[0]), ("right", -1, hands[1], feet[1])):
        hip, shoulder = seat + (0, sign * 0.05 * h, 0), neck + (0, sign * 0.108 * h, -0.03 * h)
        hand, foot = np.asarray(hand, float), np.asarray(foot, float)
        j |= {f"{side}_hip": hip, f"{side}_shoulder": shoulder, f"{side}_hand": hand, f"{side}_ankle": foot}
        j[f"{side}_knee"] = _bend(hip, foot, THIGH * h, SHIN * h, 1)
        j[f"{side}_elbow"] = _bend(shoulder, hand, UPPER_ARM * h, FOREARM * h, -1)
        j[f"{side}_toe"] = foot + (0.1 * h, 0, -0.01 * h)
    return dress(look, j)


def _join(*figures: Figure) -> Figure:
    return Figure(
        [c for f in figures for c in f.capsules],
        [x for f in figures for x in f.hulls],
        [p for f in figures for p in f.plates],
    )


def cyclist(look: Look, colour: tuple, phase: float) -> Figure:
    """A ridden bicycle; `phase` is the angle of the wheels, the pedals turn at 0.45 of it."""
    pedal = 0.45 * phase
    feet = [
        (-0.06 - 0.02 + 0.17 * cos(t), y, 0.29 + 0.04 - 0.17 * sin(t)) for t, y in ((pedal, 0.1), (pedal + pi, -0.1))
    ]
    rider = _seated(look, (-0.2, 0, 0.97), 0.42, ((0.36, 0.25, 1.04), (0.36, -0.25, 1.04)), feet)
    return _join(bicycle(colour, -phase), rider)


def skateboarder(look: Look, colour: tuple, phase: float) -> Figure:
    """A person on a skateboard, standing across it."""
    board = Figure()
    board.hull([(-0.42, 0, 0.12), (0.42, 0, 0.12)], [0.05, 0.05], colour, 0.03)
    board.plate([(-0.42, -0.11, 0.13), (0.42, -0.11, 0.13), (0.42, 0.11, 0.13), (-0.42, 0.11, 0.13)], colour, 0.02)
    for x in (-0.3, 0.3):
        board.capsule((x, -0.1, 0.05), (x, 0.1, 0.05), 0.045, 0.045, (210, 210, 205))
    rider = person(look, "skate", phase).turned(-pi / 2 * 0.85)
    return _join(board, rider)


def _box(figure, x0, x1, y0, y1, z0, z1, colour, bias=0.0):
    """Axis-aligned box as plates: sides a little darker than the front, the top brightest."""
    for y in (y0, y1):
        figure.plate([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)], colour, bias, 0.82)
    for x in (x0, x1):
        figure.plate([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], colour, bias, 0.7)
    figure.plate([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], colour, bias, 1.0)


def _wheels(figure: Figure, axles, half_width: float, radius: float, angle: float) -> None:
    for x in axles:
        for side in (-1, 1):
            y = side * half_width
            _disc(figure, x, y, radius, radius, _TYRE, -0.02)
            _disc(figure, x, y + side * 0.01, radius, radius * 0.58, _METAL, -0.05)
            for k in range(3):
                t = angle + k * 2 * pi / 3
                end = (x + 0.55 * radius * cos(t), y + side * 0.02, radius + 0.55 * radius * sin(t))
                figure.capsule((x, y + side * 0.02, radius), end, 0.025, 0.03, (60, 60, 62), -0.08)


def cart(look: Look, colour: tuple, phase: float) -> Figure:
    """An open electric cart with a roof, a driver and a box behind; `phase` is the angle of the wheels."""
    figure = Figure()
    _box(figure, -1.15, 1.05, -0.6, 0.6, 0.25, 0.5, colour)
    _box(figure, 0.72, 1.12, -0.58, 0.58, 0.5, 0.95, colour, -0.02)
    _box(figure, -0.5, 0.0, -0.55, 0.55, 0.5, 0.72, (70, 92, 120))
    _box(figure, -1.2, -0.55, -0.58, 0.58, 0.5, 1.05, tuple(0.8 * c for c in colour))
    for x, y in ((0.8, 0.54), (0.8, -0.54), (-0.62, 0.54), (-0.62, -0.54)):
        figure.capsule((x, y, 0.5), (x * 0.92, y, 1.9), 0.022, 0.022, _METAL)
    _box(figure, -0.85, 0.95, -0.62, 0.62, 1.88, 1.96, (226, 228, 228), -0.6)
    _wheels(figure, (-0.8, 0.78), 0.6, 0.25, -phase)
    feet = ((0.55, 0.3, 0.55), (0.55, 0.12, 0.55))
    driver = _seated(look, (-0.2, 0.22, 0.8), 0.05, ((0.42, 0.34, 1.05), (0.42, 0.1, 1.05)), feet)
    return _join(figure, driver)


def car(look: Look, colour: tuple, phase: float) -> Figure:
    """A small car; `phase` is the angle of the wheels."""
    figure = Figure()
    lower = [(2.0, 0.3), (2.05, 0.62), (1.9, 0.78), (0.95, 0.9), (-1.7, 0.95), (-2.0, 0.85), (-2.05, 0.35)]
    cabin = [(0.95, 0.9), (0.3, 1.42), (-1.1, 1.46), (-1.72, 0.95)]
    w, roof = 0.86, 0.7
    _extrude(figure, lower, w, w, colour)
    _extrude(figure, cabin, w * 0.97, roof, colour, glass=(0, 2), bias=-0.35)
    for side in (-1, 1):
        slope = lambda z, side=side: side * (w * 0.97 + (roof - w * 0.97) * (z - 0.9) / 0.55 + 0.012)  # noqa: E731
        for pane in (
            [(0.72, 0.96), (0.26, 1.34), (-0.32, 1.37), (-0.32, 0.96)],
            [(-0.4, 0.96), (-0.4, 1.37), (-1.02, 1.38), (-1.46, 1.0)],
        ):
            figure.plate([(x, slope(z), z) for x, z in pane], _GLASS, -0.5)
        figure.capsule((-1.98, side * 0.66, 0.72), (-2.0, side * 0.55, 0.72), 0.07, 0.07, (40, 40, 190), -0.1)
        figure.capsule((1.98, side * 0.66, 0.66), (2.0, side * 0.52, 0.66), 0.07, 0.07, (235, 240, 240), -0.1)
    _wheels(figure, (-1.25, 1.3), w + 0.01, 0.31, -phase)
    return figure


def _extrude(figure, profile, low_half, high_half, colour, glass=(), bias=0.0):
    """Side profile [(x, z), ...] drawn out across the width; edges listed in `glass` are panes."""
    z_low, z_high = profile[0][1], max(z for _, z in profile)

    def half(z):
        return low_half + (high_half - low_half) * (z - z_low) / (z_high - z_low)

    for side in (-1, 1):
        figure.plate([(x, side * half(z), z) for x, z in profile], colour, bias, 0.85)
    for i, ((xa, za), (xb, zb)) in enumerate(pairwise(profile)):
        corners = [(xa, -half(za), za), (xa, half(za), za), (xb, half(zb), zb), (xb, -half(zb), zb)]
        steep = abs(zb - za) / hypot(xb - xa, zb - za)
        figure.plate(corners, _GLASS if i in glass else colour, bias, 1.05 - 0.3 * steep)


VEHICLES = {"bicycle": cyclist, "skateboard": skateboarder, "cart": cart, "car": car}
WHEEL_RADIUS = {"bicycle": 0.34, "skateboard": 0.15, "cart": 0.25, "car": 0.31}
BODY_RADIUS = {"bicycle": 0.8, "skateboard": 0.5, "cart": 1.3, "car": 2.2}  # metres others keep from it
