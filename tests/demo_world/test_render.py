"""Cameras, figures, occlusion, stills."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcampus import EVENT_KINDS, TEMPLATES, draw_place, render_scene, render_still, suits
from synthcampus.camera import Camera
from synthcampus.figures import SHIFT, outlines, shadow_outlines
from synthcampus.layout import Box
from synthcampus.painting import FAR
from synthcampus.people import POSES, draw_look, joints, person, stride_length
from synthcampus.render import FrameRenderer, Light
from synthcampus.scenes import Scene
from synthcampus.tracks import Track
from synthcampus.vehicles import VEHICLES
from vadlib.errors import ParameterError

SIZE = (120, 214)
cameras = st.builds(
    Camera, st.floats(3, 8), st.floats(0.15, 0.6), st.floats(-0.4, 0.4), st.floats(0.7, 1.4), st.just((480, 856))
)


@pytest.fixture(scope="module")
def scene():
    return render_scene(draw_place(5, "plaza", SIZE), n_sway=2)


@given(camera=cameras, x=st.floats(-5, 5), y=st.floats(6, 60))
def test_ground_undoes_project(camera, x, y):
    (u, v), depth = camera.project(np.array([x, y, 0.0]))
    assert camera.ground(u, v) == pytest.approx((x, y), abs=1e-6)
    assert camera.depth_of(x, y) == pytest.approx(float(depth))


@given(camera=cameras, row=st.integers(0, 479), column=st.integers(0, 855))
@settings(max_examples=20)
def test_rays_undo_project(camera, row, column):
    point = (0, 0, camera.height) + camera.rays()[row, column].astype(float) * 7.0
    uv, depth = camera.project(point)
    assert uv == pytest.approx((column + 0.5, row + 0.5), abs=1e-2)
    assert depth == pytest.approx(7.0, rel=1e-5)


@given(camera=cameras)
def test_people_shrink_with_distance(camera):
    tall = [np.ptp(camera.project(np.array([[0, y, 0], [0, y, 1.7]], float))[0][:, 1]) for y in (8.0, 16.0, 32.0)]
    assert tall[0] > tall[1] > tall[2] > 0


@given(phase=st.floats(0, 30), height=st.floats(1.5, 1.95), action=st.sampled_from(sorted(POSES)))
def test_bones_keep_their_length_and_feet_stay_above_ground(phase, height, action):
    j = joints(POSES[action](phase, 1.0), height)
    for side in ("left", "right"):
        assert np.linalg.norm(j[f"{side}_knee"] - j[f"{side}_hip"]) == pytest.approx(0.245 * height, rel=0.08)
        assert j[f"{side}_ankle"][2] >= 0
        assert j[f"{side}_toe"][2] >= 0
    assert j["head"][2] > j["pelvis"][2]
    lowest = min(j[f"{side}_{part}"][2] for side in ("left", "right") for part in ("ankle", "toe"))
    if action in ("walk", "stand", "fight"):
        assert lowest == pytest.approx(0.035 * height)


def test_a_planted_foot_does_not_slide_far():
    """Ground covered by the gait's stride equals what the legs can reach: the rear-most foot moves back as the body moves on."""
    height, n = 1.72, 60
    stride = stride_length("walk", height)
    drift = []
    for k in range(n):
        a, b = (joints(POSES["walk"](2 * np.pi * (k + d) / n, 1.0), height) for d in (0, 1))
        side = min(("left", "right"), key=lambda s: min(a[f"{s}_ankle"][2], a[f"{s}_toe"][2]))
        drift.append(b[f"{side}_ankle"][0] - a[f"{side}_ankle"][0] + stride / n)
    assert np.mean(np.abs(drift)) < 0.5 * stride / n


@pytest.mark.parametrize("kind", ["person", *VEHICLES])
def test_drawing_together_equals_drawing_alone(kind):
    camera = Camera(5.5, 0.28, 0.0, 0.95, SIZE)
    looks = [draw_look(np.random.default_rng(i)) for i in range(3)]

    def figure(i):
        made = person(looks[i], "walk", 1.0 + i) if kind == "person" else VEHICLES[kind](looks[i], (90, 90, 90), 0.3)
        return made.place(-3.0 + 3 * i, 12.0 + i, 0.4 * i)

    figures = [figure(0), person(looks[0], "run", 0.4).place(0, 9, 1), figure(1), figure(2)]
    together = outlines(figures, camera, (0.3, -0.7))
    for one, (drawn, box) in zip(figures, together, strict=True):
        ((alone, alone_box),) = outlines([one], camera, (0.3, -0.7))
        assert box == pytest.approx(alone_box)
        assert len(drawn) == len(alone)
        for (corners, colour, level), (corners2, colour2, level2) in zip(drawn, alone, strict=True):
            np.testing.assert_array_equal(corners, corners2)
            assert (colour, level) == (colour2, level2)
        corners = np.concatenate([c for c, *_ in drawn]) / (1 << SHIFT)
        assert (corners >= np.array(box[:2]) - 1).all()
        assert (corners <= np.array(box[2:]) + 1).all()


def test_shadow_falls_away_from_the_sun():
    camera = Camera(5.5, 0.28, 0.0, 0.95, SIZE)
    figure = person(draw_look(np.random.default_rng(0)), "stand", 0.0).place(0, 12, 0)
    foot = camera.project(np.array([0, 12.0, 0]))[0]
    for side in (-1, 1):
        sun = np.array([side * 0.6, 0.0, 0.8])
        ((_, box),) = shadow_outlines([figure], camera, sun)
        assert (box[2] - foot[0] > foot[0] - box[0]) == (side < 0)


def still_person(x, y, event):
    one = np.ones(1)
    look = draw_look(np.random.default_rng(1))
    return Track(
        look, "person", 0, x * one, y * one, 0 * one, 0 * one, np.full(1, 2, np.int8), np.full(1, event, np.int16)
    )


def render(scene, tracks):
    light = Light(np.array([0.2]), np.array([1.0]), np.array([0]))
    return FrameRenderer(scene, tracks, light, np.random.default_rng(0)).frame(0)


def test_what_stands_in_front_hides_and_is_not_marked():
    place = draw_place(5, "plaza", (240, 428))
    x, y = place.camera.ground(214, 150)
    behind = render_scene(place, n_sway=1)
    place.layout.boxes.append(Box(x, y - 1.5, 3.0, 0.2, 0.0, 1.0, 0.0, "concrete", (150, 150, 150)))
    before = Scene(place, render_scene(place, n_sway=1).scenery)
    _, open_mask = render(behind, [still_person(x, y, 0)])
    image, mask = render(before, [still_person(x, y, 0)])
    assert 0 < mask.sum() < 0.75 * open_mask.sum()
    assert (mask <= open_mask).all()
    box = before.scenery.depth[0] < place.camera.depth_of(x, y) * 100
    assert not mask[box].any()
    empty, none = render(before, [])
    assert none is None
    inside = cv2.erode(box.astype(np.uint8), np.ones((3, 3))) > 0  # the lens blurs edges by a pixel
    np.testing.assert_array_equal(image[inside], empty[inside])


def test_a_person_in_front_takes_pixels_from_the_mask(scene):
    x, y = scene.place.camera.ground(107, 75)
    _, alone = render(scene, [still_person(x, y, 0)])
    near_x, near_y = x * (y - 0.7) / y, y - 0.7
    _, covered = render(scene, [still_person(x, y, 0), still_person(near_x, near_y, -1)])
    assert alone is not None
    assert covered is None or covered.sum() < 0.7 * alone.sum()
    _, nobody = render(scene, [still_person(x, y, -1)])
    assert nobody is None


@pytest.mark.parametrize("template", TEMPLATES)
def test_scenes_differ_by_seed_and_are_fixed_by_it(template):
    one, two = draw_place(8, template, SIZE), draw_place(9, template, SIZE)
    assert one.camera != two.camera
    assert one.camera == draw_place(8, template, SIZE).camera
    assert any(route.drive for route in one.routes)


def test_a_scene_has_texture_light_and_depth(scene):
    scenery = scene.scenery
    assert scenery.sunny.shape == scenery.cloudy.shape == (2, *SIZE, 3)
    assert scenery.sunny[0].std() > 20
    assert 60 < scenery.cloudy[0].mean() < 200
    assert cv2.absdiff(scenery.sunny[0], scenery.sunny[1]).mean() < 3  # only leaves move
    assert scenery.ground.mean() > 0.3
    assert (scenery.depth[0][scenery.ground] == FAR).mean() > 0.9  # ground hides nobody; trees sway in front of some


@pytest.mark.parametrize("kind", [None, *EVENT_KINDS])
def test_stills_have_labelled_objects(scene, kind):
    if kind is not None and not suits(kind, scene.place):
        with pytest.raises(ParameterError, match="kind: a plaza scene has no"):
            render_still(scene, np.random.default_rng(0), kind=kind)
        return
    still = render_still(scene, np.random.default_rng(2), kind=kind)
    again = render_still(scene, np.random.default_rng(2), kind=kind)
    np.testing.assert_array_equal(still.image, again.image)
    assert still.image.shape == (*SIZE, 3)
    assert all(o.event in (None, kind) for o in still.objects)
    for left, top, right, bottom in (o.box for o in still.objects):
        assert 0 <= left < right <= SIZE[1]
        assert 0 <= top < bottom <= SIZE[0]
    if kind is None:
        assert not still.mask.any()


def test_unknown_kind_and_template():
    with pytest.raises(ParameterError, match="template: expected one of walkway.*got 'beach'"):
        draw_place(0, "beach")
    with pytest.raises(ParameterError, match="kind: expected one of bicycle.*got 'unicycle'"):
        render_still(
            render_scene(draw_place(0, "plaza", (64, 64)), n_sway=1), np.random.default_rng(0), kind="unicycle"
        )
