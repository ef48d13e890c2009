"""The six kinds of place. Each fills a `Builder`: routes first, so that everything built later keeps them clear."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthcampus.builder import Builder, Ground

_SLABS = [(176, 178, 180), (164, 172, 182), (186, 186, 182), (158, 162, 170)]


def _slab_colour(rng):
    return tuple((np.array(_SLABS[rng.integers(len(_SLABS))]) * rng.uniform(0.92, 1.05)).tolist())


def _grass_colour(rng):
    return tuple((np.array((66, 108, 94)) * rng.uniform(0.88, 1.1) + (0, 0, rng.uniform(-8, 18))).tolist())


def _arrow(ground, x, y, heading, scale=1.0):
    """A white arrow painted on the ground at (x, y), pointing along `heading`."""
    c, s = np.cos(heading), np.sin(heading)

    def inside(px, py):
        u, v = ((px - x) * c + (py - y) * s) / scale, (-(px - x) * s + (py - y) * c) / scale
        shaft = np.minimum(0.12 - np.abs(v), np.minimum(u + 1.1, 0.4 - u))
        head = np.minimum((1.1 - u) * 0.45 - np.abs(v), u - 0.3)
        return np.maximum(shaft, head) * scale

    ground.add(inside, "plain", strength=0.75, colour=(222, 224, 224))


def _manhole(ground, x, y, radius=0.42):
    ground.disc(x, y, radius + 0.06, "concrete", colour=(120, 120, 120)).disc(
        x, y, radius, "gravel", colour=(104, 104, 102)
    )


def _skyline(b: Builder, rng):
    """Buildings and a row of trees far away, so that the horizon is not bare."""
    for x in (-46, -14, 20, 52):
        b.facade(x + rng.uniform(-5, 5), rng.uniform(88, 115), rng.uniform(18, 30), 14, rng.uniform(8, 20))
    for x in np.arange(-48, 49, 8.0):
        b.tree(x + rng.uniform(-2, 2), rng.uniform(66, 78), scale=rng.uniform(1.5, 2.1))


def walkway(b: Builder, rng) -> None:
    """A one-way walk between lawns, with trees, lamps and benches."""
    side = rng.choice([-1, 1])
    near, far = np.array([side * rng.uniform(1.5, 3.0), 4.0]), np.array([-side * rng.uniform(6, 10), 64.0])
    way, width = [near, (near + far) / 2 + (side * 0.8, 0), far], float(rng.uniform(4.6, 5.6))
    if rng.random() < 0.5:
        way = way[::-1]
    main = b.route(way, width, one_way=True, drive=True, weight=3.0)
    y = rng.uniform(19, 23)
    b.route([(-34, y - 1), (0, y), (34, y + 1.5)], 2.4, weight=0.8)
    heading = float(np.arctan2(*(far - near)[::-1]))
    b.ground = Ground("grass", colour=_grass_colour(rng))
    b.ground.strip(b.routes[1].points, 1.35, "gravel")
    b.ground.strip(way, width / 2 + 0.75, "concrete", colour=(150, 154, 156))
    b.ground.strip(way, width / 2 + 0.55, "paving", turn=heading, colour=_slab_colour(rng))
    for distance in (0.2, 0.42, 0.68):
        x, y_, turn = main.at(np.array([main.length * distance]))[0]
        _arrow(b.ground, x, y_, turn, 1.15)
    _manhole(b.ground, near[0] * 0.8, rng.uniform(11, 13))
    for k, y in enumerate(np.arange(11.0, 60, rng.uniform(6, 7.5))):
        t = (y - near[1]) / (far[1] - near[1])
        centre = near[0] + t * (far[0] - near[0])
        for way_side in (-1, 1):
            x = centre + way_side * (width / 2 + rng.uniform(2.4, 3.2))
            if y > 15 or abs(x) > 5.5:
                b.tree(x, y + rng.uniform(-1, 1))
            if k % 2 == (way_side > 0):
                b.lamp(centre + way_side * (width / 2 + 1.0), y + 2.5, 0 if way_side < 0 else np.pi)
            elif y > 10:
                b.bench(centre + way_side * (width / 2 + 1.3), y + 1.0, heading if way_side > 0 else heading + np.pi)
    b.bin(near[0] + side * (width / 2 + 0.9), 14.5)
    b.facade(side * rng.uniform(20, 24), 42, 12, 34, rng.uniform(9, 13))
    b.hedge(-side * 13, 33, 9, 1.1, 1.1)
    _skyline(b, rng)


def plaza(b: Builder, rng) -> None:
    """A wide paved square with a ring in its middle, planters and a building behind."""
    wall = rng.uniform(34, 40)
    cy = rng.uniform(15, 18)
    b.route([(-26, rng.uniform(10.5, 12)), (26, rng.uniform(10.5, 12))], 3.0, drive=True)
    b.route([(-30, cy + 4), (0, cy + 4.5), (30, cy + 5)], 3.2, drive=True)
    b.route([(-13, 5), (2, cy + 2), (9, wall - 3), (22, wall - 4)], 2.6)
    b.route([(12, 5), (-1, cy + 1), (-8, wall + 1.5)], 2.6)
    b.ground = Ground("paving", colour=_slab_colour(rng), length=0.9, width=0.9, offset=0.0)
    dark = tuple(0.74 * c for c in _slab_colour(rng))
    for k in range(-4, 5):
        b.ground.strip([(k * 6.0, 0), (k * 6.0, wall)], 0.28, "paving", colour=dark, length=0.3)
    for y in np.arange(6, wall, 6.0):
        b.ground.strip([(-40, y), (40, y)], 0.28, "paving", colour=dark, length=0.3)
    for radius, colour in ((4.6, dark), (4.1, _slab_colour(rng)), (2.6, (110, 128, 168)), (2.1, _slab_colour(rng))):
        b.ground.disc(0.5, cy, radius, "paving", colour=colour, length=0.45, width=0.25)
    b.facade(rng.uniform(-6, 0), wall + 6, 60, 12, rng.uniform(10, 14), doors=((20.5, 23.5, 2.6), (40.5, 43.5, 2.6)))
    for x, y in (
        (-8, cy - 1),
        (8.5, cy - 2),
        (-10.5, cy + 9.5),
        (11.5, cy + 10),
        (0.5, cy + 10.5),
        (-17, cy + 9),
        (18, cy),
    ):
        b.planter(x + rng.uniform(-0.6, 0.6), y + rng.uniform(-0.5, 0.5), rng.uniform(1.8, 2.3))
    for x, y in ((-5.5, cy + 7.6), (5.5, cy + 7.6), (-12, cy), (13, cy + 2)):
        b.bench(x, y, rng.uniform(-0.1, 0.1))
    b.lamp(-6.8, rng.uniform(13.2, 14), 0)
    b.lamp(9.5, cy + 7.5, np.pi)
    b.bin(-7.4, cy + 7.4)
    b.bicycles(13.5, wall - 1.6, 0, 7)


def entrance(b: Builder, rng) -> None:
    """The doors of a building behind a forecourt; people come and go."""
    wall, turn = rng.uniform(23, 26), rng.uniform(-0.12, 0.12)
    door = rng.uniform(-3, 2)
    b.route([(door, wall + 2.2), (door, wall - 3), (rng.uniform(-5, -2), 5)], 2.4, weight=1.4)
    b.route([(door, wall + 2.2), (door, wall - 2.5), (8, wall - 6), (26, wall - 7)], 2.4, weight=1.2)
    b.route([(-26, 13), (0, rng.uniform(12.5, 14)), (26, rng.uniform(11, 12))], 3.2, drive=True, weight=1.4)
    b.ground = Ground("paving", colour=_slab_colour(rng), length=0.6, width=0.4)
    b.ground.rectangle(-40, 40, wall - 2.2, wall + 1, "paving", colour=(118, 134, 164), length=0.24, width=0.12)
    b.ground.rectangle(-40, 40, wall - 2.35, wall - 2.2, "concrete", colour=(196, 198, 198))
    side = rng.choice([-1, 1])
    lawn = sorted((side * 6.5, side * 40))
    b.ground.rectangle(lawn[0] - 0.15, lawn[1] + 0.15, 14.6 + 2.4, wall - 3.9, "concrete", colour=(176, 178, 178))
    if side < 0:
        b.ground.rectangle(lawn[0], lawn[1], 17.2, wall - 4.1, "grass", colour=_grass_colour(rng))
    _manhole(b.ground, 3.4, 10.8)
    width = 64.0
    at = width / 2 + door
    doors = ((at - 1.7, at - 0.1, 2.5), (at + 0.1, at + 1.7, 2.5))
    b.facade(0, wall + 5, width, 10, rng.uniform(10, 14), 0.0, doors)
    b.box(door, wall - 1.1, 6.4, 2.2, 2.95, 3.2, "concrete", (196, 198, 198))
    for x in (door - 2.9, door + 2.9):
        b.box(x, wall - 2.0, 0.24, 0.24, 0, 2.95, "concrete", (182, 184, 184))
        b.planter(x + np.sign(x - door) * 1.6, wall - 1.4, 1.3)
    for x in np.arange(-26, 27, 4.0):
        if abs(x - door) > 6.5:
            b.hedge(x, wall - 0.5, 3.4, 0.8, 0.9)
    b.bicycles(door - 12.5 * side, wall - 3.2, turn, 8)
    for x, y in ((side * 9, 19.2), (side * 14, 18.6), (side * 20, 19.5), (-side * 16, 18.2)):
        b.tree(x, y, scale=0.85)
    b.lamp(-side * 7.4, rng.uniform(16.2, 17), 0 if side > 0 else np.pi)
    b.lamp(side * 7.2, 9.8, np.pi if side > 0 else 0)
    b.bench(-side * 6.2, 16.6, 0.0)
    b.bin(-side * 8.6, 16.8)


def crossing(b: Builder, rng) -> None:
    """A closed campus road with a zebra crossing and pavements."""
    near, road = rng.uniform(13, 14.2), rng.uniform(6.0, 6.8)
    far = near + road
    zx = rng.uniform(-3, 3)
    b.route([(-26, near - 1.8), (26, near - 1.8)], 2.2, weight=1.2)
    b.route([(-32, far + 1.8), (32, far + 1.8)], 2.2, weight=1.0)
    b.route([(zx + 1, 5.5), (zx, near), (zx, far + 1.0), (zx - 1.5, far + 3), (zx + 5, 58)], 2.4, weight=1.4)
    b.route([(-34, near + road * 0.28), (34, near + road * 0.28)], 2.4, drive=True, weight=0.0)
    b.route([(34, near + road * 0.72), (-34, near + road * 0.72)], 2.4, drive=True, weight=0.0)
    b.ground = Ground("grass", colour=_grass_colour(rng))
    b.ground.strip(b.routes[2].points[2:], 1.5, "paving", colour=_slab_colour(rng))
    b.ground.rectangle(-90, 90, -20, far + 3.4, "paving", colour=_slab_colour(rng), length=0.5, width=0.3)
    for edge in (near, far):
        b.ground.rectangle(-90, 90, edge - 0.16, edge + 0.16, "concrete", colour=(190, 192, 192))
    b.ground.rectangle(-90, 90, near, far, "asphalt")
    b.ground.rectangle(-90, 90, near + 0.08, near + 0.2, "plain", strength=0.7, colour=(200, 204, 204))
    b.ground.rectangle(-90, 90, far - 0.2, far - 0.08, "plain", strength=0.7, colour=(200, 204, 204))
    middle = (near + far) / 2
    for k in range(-16, 17):
        x = k * 4.5 + 1
        if abs(x + 1 - zx) > 3.4:
            b.ground.rectangle(x, x + 2, middle - 0.07, middle + 0.07, "plain", strength=0.75, colour=(214, 218, 218))
    for y in np.arange(near + 0.35, far - 0.3, 1.0):
        b.ground.rectangle(zx - 1.9, zx + 1.9, y, y + 0.5, "plain", strength=0.85, colour=(226, 228, 228))
    _manhole(b.ground, zx + 5.5, middle + 1)
    for k in range(6):
        b.bollard(zx + 2.6 + 1.7 * k, near - 0.5)
        b.bollard(zx - 2.6 - 1.7 * k, far + 0.5)
    for x in np.arange(-30, 31, rng.uniform(7, 8.5)):
        b.tree(x + rng.uniform(-0.7, 0.7), far + rng.uniform(5.5, 7))
    b.lamp(zx + 4.2, far + 3.2, -np.pi / 2)
    b.lamp(zx - 6.4, near - 3.4, np.pi / 2)
    b.bench(zx + 8, far + 4.1, 0)
    b.bin(zx - 4.2, far + 3.3)
    b.bicycles(zx - 11, far + 4.3, 0.0, 6)
    b.hedge(-18, far + 9.5, 24, 1.0, 1.2)
    b.facade(rng.uniform(-24, -18), far + 24, 28, 10, rng.uniform(9, 13))
    b.facade(rng.uniform(20, 26), far + 26, 30, 10, rng.uniform(7, 11))
    _skyline(b, rng)


def courtyard(b: Builder, rng) -> None:
    """A one-way path that curves over a lawn between buildings."""
    side = rng.choice([-1, 1])
    way = np.array([(-24, 11.5), (-8, 12), (-2, 13.5), (2.5, 17), (4.0, 23), (4.5, 36.6)]) * (side, 1)
    turn = np.linspace(0, 1, 9)[:, None]
    smooth = np.concatenate([way[:1], _spline(way, turn), way[-1:]])
    if rng.random() < 0.5:
        smooth = smooth[::-1]
    b.route(smooth, 3.0, one_way=True, drive=True, weight=3.0)
    b.route([(side * -4, 5), (side * 2, 12.5), (side * 26, 15)], 2.2, drive=True, weight=0.9)
    b.ground = Ground("grass", colour=_grass_colour(rng))
    surface = ("gravel", "paving")[rng.integers(2)]
    for route in b.routes:
        b.ground.strip(route.points, route.width / 2 + 0.5, "concrete", colour=(160, 164, 166))
    for route in b.routes:
        b.ground.strip(route.points, route.width / 2 + 0.36, surface, turn=0.2)
    b.ground.rectangle(-60, 60, 31.5, 60, "paving", colour=_slab_colour(rng))
    wall = 35.0
    at = 35 + side * 4.5
    b.facade(0, wall + 5, 70, 10, rng.uniform(10, 13), doors=((at - 1.6, at + 1.6, 2.6),))
    b.facade(-side * 23, 28, 10, 14, rng.uniform(8, 11))
    b.hedge(-side * 6, 31, 14, 0.9, 0.9)
    b.hedge(side * 12.5, 31, 10, 0.9, 0.9)
    spots = ((-9, 17), (-4.5, 20.5), (-13, 22), (10, 19.5), (14, 25), (-1.5, 26), (9, 27), (-8, 27.5), (17, 18.5))
    for x, y in spots:
        b.tree(side * (x + rng.uniform(-0.8, 0.8)), y + rng.uniform(-0.8, 0.8), scale=rng.uniform(0.8, 1.05))
    b.bench(side * -5.4, 15.0, np.pi)
    b.bench(side * 7.2, 22.5, np.pi / 2)
    b.bench(side * 0.4, 20.8, -np.pi / 2)
    b.bin(side * -3.2, 15.3)
    b.lamp(side * -7.3, 14.5, 0)
    b.lamp(side * 7.0, 26.0, np.pi)
    b.lamp(side * 5.6, 11.2, np.pi)


def _spline(points: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Catmull-Rom curve through all but the first and last point."""
    pieces = []
    for p0, p1, p2, p3 in zip(points, points[1:], points[2:], points[3:], strict=False):
        pieces.append(
            0.5
            * (
                2 * p1
                + (p2 - p0) * turn
                + (2 * p0 - 5 * p1 + 4 * p2 - p3) * turn**2
                + (3 * p1 - p0 - 3 * p2 + p3) * turn**3
            )
        )
    return np.concatenate([piece[:-1] for piece in pieces] + [points[-2:-1]])


def bike_yard(b: Builder, rng) -> None:
    """A yard with bicycle racks under a shelter beside a building."""
    side = rng.choice([-1, 1])
    wall = rng.uniform(26, 29)
    b.route([(-26, 11.2), (26, rng.uniform(10.5, 12))], 3.2, drive=True, weight=1.4)
    b.route([(-30, rng.uniform(20, 21)), (30, rng.uniform(20, 21))], 2.8, drive=True, weight=1.2)
    door = side * rng.uniform(1.5, 4)
    b.route([(door, wall + 2.2), (door, wall - 2), (side * 2.5, 16), (-side * 6, 5)], 2.2, weight=1.2)
    b.ground = Ground("asphalt", colour=(122, 122, 120))
    b.ground.rectangle(
        -60, 60, wall - 4.2, wall + 1, "paving", colour=_slab_colour(rng), length=0.4, width=0.4, offset=0
    )
    b.ground.rectangle(-60, 60, wall - 4.35, wall - 4.2, "concrete", colour=(188, 190, 190))
    x0 = side * 3.9
    for k in range(9):
        x = x0 + side * k * 1.3
        b.ground.rectangle(x - 0.05, x + 0.05, 13.8, 17.2, "plain", strength=0.75, colour=(206, 214, 216))
    low, high = sorted((x0, side * 26))
    b.ground.rectangle(low, high, 17.2, 17.32, "plain", strength=0.75, colour=(206, 214, 216))
    _manhole(b.ground, -side * 3, 17.5)
    at = 33 + door
    b.facade(0, wall + 5, 66, 10, rng.uniform(9, 13), doors=((at - 1.4, at + 1.4, 2.5),))
    shelter = [x0 + side * 0.3, x0 + side * 9.3]
    for x in (*shelter, sum(shelter) / 2):
        for y in (14.2, 16.6):
            b.box(x, y, 0.1, 0.1, 0, 2.3, "plain", (92, 96, 96))
    b.box(sum(shelter) / 2, 15.4, 9.6, 3.0, 2.3, 2.42, "plain", (150, 146, 132), roof=(168, 164, 150))
    b.bicycles(min(shelter) + 0.4, 15.4, 0.0, 14)
    b.bicycles(-side * 12 - 2, wall - 2.4, 0.0, 9)
    b.hedge(-side * 17, wall - 1.0, 14, 0.9, 1.0)
    for x, y in ((-side * 9.5, 16), (-side * 13, 24), (-side * 18, 16.5), (side * 17, 23.5), (side * 9.5, 24)):
        b.tree(x, y, scale=0.9)
    b.lamp(-side * 6.4, 14.2, 0 if side > 0 else np.pi)
    b.lamp(side * 7, 23.3, -np.pi / 2)
    b.bench(-side * 8.2, 13.8, 0.0)
    b.bin(-side * 5, wall - 3.4)
    b.bin(side * 9, wall - 3.6)
    for k in range(5):
        b.bollard(-side * (4 + 1.5 * k), 18.3)


BUILDERS: dict[str, Callable] = {f.__name__: f for f in (walkway, plaza, entrance, crossing, courtyard, bike_yard)}
