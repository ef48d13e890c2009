"""The clip viewer: what is in its folder, and what it does in a browser."""

import base64
import hashlib
import json
import re
import shutil
import tempfile
import weakref
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote

import cv2
import nbformat
import numpy as np
import pandas as pd
import pytest
from browser import NAMES, Browser, find_chromium
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.errors import ParameterError, ResultsError
from vadlib.report.book import build_pages
from vadlib.viewer import media
from vadlib.viewer.page import ViewerClip, embed_viewer, heat_levels, viewer_address, write_viewer

HOSTILE = "a \"b\" 'c' </script><script>window.hacked=1</script><!-- & <img src=x onerror=hacked=1> Ünïcödé 漢"
DETECTORS = ["PaDiM", "Prototypes"]
THRESHOLDS = {"PaDiM": 10.0, "Prototypes": 0.5}


def moving_square(n, size=(64, 96), start=0):
    """Frames of a bright square that moves one pixel a frame over a grey wedge."""
    wedge = np.linspace(60, 140, size[1]).astype(np.uint8)
    for number in range(n):
        image = np.repeat(np.broadcast_to(wedge, size)[..., None], 3, axis=2).copy()
        left = (start + number) % (size[1] - 16)
        image[24:40, left : left + 16] = (250, 240, 20)
        yield image


def make_clip(name, n=60, *, images=None, heat=True, fps=12.0):
    hot = np.zeros((n, 4, 6), np.uint8)
    hot[np.arange(n), 2, np.arange(n) % 6] = 255
    images = moving_square(n) if images is None else images
    return ViewerClip(name, "07", fps, np.arange(n), images, {"PaDiM": hot} if heat else {})


def make_scores(names, n=60):
    """Two detectors; frames 20 to 29 are anomalous, and the first one sees them, and frame 40 too."""
    rows = []
    for number, name in enumerate(names):
        frame = np.arange(n)
        padim = 5 + np.sin(frame / 3) + 10 * ((frame >= 20) & (frame < 30)) + 8 * (frame == 40) + number * 0.25
        rows.append(pd.DataFrame({"clip": name, "frame": frame, "label": ((frame >= 20) & (frame < 30)).astype(int),
                                  "PaDiM": padim, "Prototypes": np.cos(frame / 5) * 0.4}))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def read_page(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def array(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def unpack(text):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)


def read_media(folder, page, index):
    """A second implementation of what the page does: pictures uint8 (n, H, W, 3), and heat by detector."""
    clip = page["clips"][index]
    script = (folder / f"clip_{index:04d}.js").read_text()
    changed, heat = json.loads(re.fullmatch(r"vadlibClip\(\d+,(.*)\);\n", script, re.DOTALL)[1])
    n, (down, across), block = len(array(clip["pictures"], "<i4")), clip["grid"], page["sheet"]["block"]
    bits = np.unpackbits(unpack(changed).reshape(n, -1), axis=1)
    canvas = np.zeros((down * block, across * block, 3), np.uint8)
    pictures = []
    for picture in range(n):
        if picture % page["sheet"]["pictures"] == 0:
            place = 0
            sheet = cv2.imread(str(folder / f"clip_{index:04d}_{picture // page['sheet']['pictures']}.jpg"))[..., ::-1]
        for number in range(down * across):
            if bits[picture, number]:
                top, left = (block * k for k in divmod(place, page["sheet"]["columns"]))
                y, x = (block * k for k in divmod(number, across))
                canvas[y : y + block, x : x + block] = sheet[top : top + block, left : left + block]
                place += 1
        pictures.append(canvas[: clip["size"][0], : clip["size"][1]].copy())
    maps = [
        None if text is None else np.cumsum(unpack(text).reshape(n, *clip["heat"][d]), axis=0, dtype=np.uint8)
        for d, text in enumerate(heat)
    ]
    return np.stack(pictures), maps


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three clips: a plain one, one with a hostile name, one whose truth is unknown and which has no heat."""
    path = tmp_path_factory.mktemp("viewer") / "with space" / "viewer"
    path.parent.mkdir()
    names = ["clip_10", HOSTILE, "clip_2"]
    scores = make_scores(names).astype({"label": float})
    scores.loc[scores["clip"] == "clip_2", "label"] = -1
    clips = [make_clip(name, heat=name != "clip_2") for name in names]
    write_viewer(path, clips, scores, DETECTORS, thresholds=THRESHOLDS, threshold_rule="chosen here",
                 title="Clips <of> a test", heat_limits={"PaDiM": (0, 20)})  # fmt: skip
    return path


def test_every_frame_is_there_as_it_was(folder):
    page = read_page(folder)
    assert [clip["id"] for clip in page["clips"]] == ["clip_10", HOSTILE, "clip_2"]
    for index, clip in enumerate(page["clips"]):
        assert array(clip["frames"], "<i4").tolist() == list(range(60)) == array(clip["pictures"], "<i4").tolist()
        pictures, _ = read_media(folder, page, index)
        wanted = np.stack(list(moving_square(60)))
        assert np.abs(pictures.astype(int) - wanted).mean() < 2.5
        assert np.abs(pictures.astype(int) - wanted).mean(axis=(1, 2, 3)).max() < 4


def test_scores_labels_and_heat_are_what_was_given(folder):
    page = read_page(folder)
    scores = make_scores(["clip_10"])
    for d, name in enumerate(DETECTORS):
        assert array(page["clips"][0]["scores"][d], "<f4").tolist() == scores[name].astype(np.float32).tolist()
    assert array(page["clips"][0]["labels"], np.uint8).tolist() == scores["label"].tolist()
    assert page["clips"][2]["labels"] is None
    _, maps = read_media(folder, page, 0)
    wanted = make_clip("clip_10").heat["PaDiM"]
    assert np.abs(maps[0].astype(int) - wanted).max() < media.HEAT_STEP
    assert maps[1] is None
    assert read_media(folder, page, 2)[1] == [None, None]
    assert [detector["heat"] for detector in page["detectors"]] == [[0, 20], None]
    assert [detector["threshold"] for detector in page["detectors"]] == [10, 0.5]
    assert page["detectors"][0]["colour"] == "#009E73"


def test_no_name_becomes_markup_and_nothing_comes_from_elsewhere(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    elements = Elements()
    elements.feed(text)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "<title>Clips &lt;of&gt; a test</title>" in text
    assert "src" not in [name for _, attributes in elements.found for name in attributes]
    assert "href" not in [name for _, attributes in elements.found for name in attributes]
    assert re.findall(
        r"(?:https?:)?//[a-z][\w.]*", re.sub(r"^\s*//.*|(?<=[;{ ])// .*", "", text, flags=re.MULTILINE)
    ) == [
        "http://www.w3.org"  # the name of SVG
    ]
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_pictures_are_brought_down_to_size_never_up(tmp_path):
    for longest, size in ((48, [32, 48]), (320, [64, 96])):
        place = tmp_path / str(longest)
        write_viewer(place, [make_clip("a", 3, heat=False)], make_scores(["a"], 3), DETECTORS, longest_side_px=longest)
        assert read_page(place)["clips"][0]["size"] == size


def noisy(n, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)


def test_budget_holds_is_spent_and_says_what_it_took(tmp_path):
    names = ["a", "b"]
    whole = write_viewer(
        tmp_path / "whole", [make_clip(n, images=noisy(60)) for n in names], make_scores(names), DETECTORS
    )
    assert (whole["every"], whole["quality"], whole["n_pictures"]) == (1, media.QUALITIES[0], 120)
    assert whole["bytes"] == sum(path.stat().st_size for path in (tmp_path / "whole").iterdir())
    assert whole["files"] == len(list((tmp_path / "whole").iterdir()))
    base = (tmp_path / "whole" / "index.html").stat().st_size
    for share in (0.8, 0.3, 0.05):
        budget = int(base + share * (whole["bytes"] - base))
        place = tmp_path / str(share)
        found = write_viewer(
            place, [make_clip(n, images=noisy(60)) for n in names], make_scores(names), DETECTORS, max_bytes=budget
        )
        assert sum(path.stat().st_size for path in place.iterdir()) == found["bytes"] <= budget
        page = read_page(place)
        assert found["summary"] in page["summary"]
        assert "to keep the folder under" in page["summary"]
        assert (found["every"] > 1) == (f"one picture for {found['every']} frames" in page["summary"])
        for index, clip in enumerate(page["clips"]):
            assert len(array(clip["frames"], "<i4")) == len(array(clip["scores"][0], "<f4")) == 60
            kept = array(clip["pictures"], "<i4")
            assert kept.tolist() == list(range(0, 60, found["every"]))
            pictures, maps = read_media(place, page, index)
            wanted = np.stack(list(noisy(60)))[kept]
            assert np.abs(pictures.astype(float) - wanted).mean() < 40  # of noise at a low quality; 85 for others
            assert np.abs(maps[0].astype(int) - make_clip("a").heat["PaDiM"][kept]).max() < media.HEAT_STEP
    assert found["every"] > 5


def test_budget_too_small_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(
        ParameterError, match=r"max_bytes: 20,000 are too few; 1 clip, 60 scored frames need [\d,]+ even with"
    ):
        write_viewer(tmp_path / "v", [make_clip("a")], make_scores(["a"]), DETECTORS, max_bytes=20_000)
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_taken_one_at_a_time(tmp_path):
    alive, most = 0, 0

    def gone():
        nonlocal alive
        alive -= 1

    def images():
        nonlocal alive, most
        for image in moving_square(60):
            weakref.finalize(image, gone)
            alive += 1
            most = max(most, alive)
            yield image
            del image

    write_viewer(tmp_path / "v", [make_clip("a", images=images())], make_scores(["a"]), DETECTORS)
    assert most <= 3


def test_same_input_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_viewer(tmp_path / name, [make_clip("a")], make_scores(["a"]), DETECTORS)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@settings(max_examples=25)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 4), st.integers(0, 10_000))
def test_a_sheet_redraws_its_pictures_within_tolerance(height, width, n, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    same = rng.random((n, height, width, 1)) < 0.8
    for number in range(1, n):
        images[number] = np.where(same[number], images[number - 1], images[number])
    with tempfile.TemporaryFile() as file:
        store = media.PictureStore(file, 320)
        for image in images:
            store.add(image, "picture")
        changed, sheet = store.sheet(range(n))
        stored = [store._picture(number) for number in range(n)]
    down, across = store.grid
    shown = np.zeros((down * 16, across * 16, 3), np.uint8)
    place = 0
    assert changed[0].all()
    for number in range(n):
        for block in np.flatnonzero(changed[number]):
            (y, x), (top, left) = np.array(divmod(block, across)) * 16, np.array(divmod(place, 40)) * 16
            shown[y : y + 16, x : x + 16] = sheet[top : top + 16, left : left + 16]
            place += 1
        for top in range(0, height - 3, 4):
            for left in range(0, width - 3, 4):
                patch = np.s_[top : top + 4, left : left + 4]
                difference = shown[patch].mean(axis=(0, 1)) - stored[number][patch].mean(axis=(0, 1))
                assert np.abs(difference).max() <= media.TOLERANCE + 1e-3


def test_alarms_given_are_shown_by_rows_of_the_clip(tmp_path):
    frames = np.arange(100, 220, 2)
    clip = ViewerClip("a", "", 12.0, frames, moving_square(60), {})
    scores = make_scores(["a"]).assign(frame=frames)
    alarms = pd.DataFrame({"clip": "a", "detector": "Prototypes", "first": [150, 101], "last": [160, 104]})
    write_viewer(tmp_path / "v", [clip], scores, DETECTORS, alarms=alarms, alarm_rule="As the report has them")
    page = read_page(tmp_path / "v")
    assert page["clips"][0]["alarms"] == [[], [[1, 2], [25, 30]]]
    assert page["alarm_rule"] == "As the report has them"


def test_threshold_that_nobody_gave_is_said_to_be_a_share_of_the_frames(tmp_path):
    write_viewer(tmp_path / "v", [make_clip("a")], make_scores(["a"]), DETECTORS, thresholds={"PaDiM": 10})
    first, second = read_page(tmp_path / "v")["detectors"]
    assert (make_scores(["a"])["Prototypes"] >= second["threshold"]).sum() == 3
    assert (first["source"], second["source"]) == ("", "which 5 % of the frames here reach")


def test_heat_levels_are_scaled_and_cut_at_the_limits():
    assert heat_levels(np.array([[[-1.0, 0, 1, 2, 9]]]), (0, 2)).tolist() == [[[0, 0, 128, 255, 255]]]


@pytest.mark.parametrize(
    ("heatmaps", "limits", "message"),
    [
        (np.full((1, 2, 2), np.nan), (0, 1), "heatmaps: 4 values are NaN"),
        (np.zeros((1, 2, 2)), (1, 1), "limits: expected two finite numbers, the lower first"),
        (np.zeros((1, 2, 2)), (0, np.inf), "limits: expected two finite numbers"),
    ],
)
def test_bad_heat_levels(heatmaps, limits, message):
    with pytest.raises(ParameterError, match=message):
        heat_levels(heatmaps, limits)


def change(scores, row, column, value):
    scores = scores.astype({"label": float, "PaDiM": float})
    scores.loc[row, column] = value
    return scores


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clips": []}, "clips: there is none to show"),
        ({"clips": [make_clip("a"), make_clip("a")]}, "clips: 'a' is there twice"),
        ({"clips": [make_clip("b")]}, "clips: 'a' has scores but is not among the clips"),
        ({"clips": [make_clip("a"), make_clip("b")]}, "clip b: it has no scored frame"),
        ({"clips": [make_clip("a", 59)]}, "clip a: 59 frames to show but 60 in the scores.*differ in frame 59"),
        ({"clips": [make_clip("a", images=moving_square(59))]}, "clip a: 59 pictures for 60 frames"),
        ({"clips": [make_clip("a", images=moving_square(61))]}, "clip a: more pictures than its 60 frames"),
        ({"clips": [make_clip("a", fps=0)]}, "clip a: fps must be above 0, found 0"),
        ({"clips": [make_clip("a", images=[np.zeros((4, 4), np.uint8)])]}, r"clip a, frame 0: expected a uint8 \(H, W, 3\)"),
        ({"clips": [make_clip("a", images=[np.zeros((4, 4, 3))])]}, r"clip a, frame 0: expected a uint8 .* found float64"),
        ({"clips": [make_clip("a", images=[np.zeros((4, k, 3), np.uint8) for k in (4, 5)])]}, "clip a, frame 1: its size is"),
        ({"clips": [ViewerClip("a", "", 12, np.arange(60), moving_square(60), {"PaDiM": np.zeros((59, 2, 2), np.uint8)})]},
         "clip a: 59 heatmaps of PaDiM for 60 frames"),
        ({"clips": [ViewerClip("a", "", 12, np.arange(60), moving_square(60), {"PaDiM": np.zeros((60, 2, 2))})]},
         "clip a: heat of PaDiM must be uint8"),
        ({"clips": [ViewerClip("a", "", 12, np.arange(60), moving_square(60), {"X": np.zeros((60, 2, 2), np.uint8)})]},
         "clip a: heat of 'X', which is none of"),
        ({"clips": [ViewerClip("a", "", 12, np.arange(60)[::-1], moving_square(60))]}, "clip a: 60 frames to show but 60 .*ascending"),
        ({"scores": change(make_scores(["a"]), 7, "PaDiM", np.nan)}, "scores: PaDiM is not finite for 1 frames, first clip a frame 7"),
        ({"scores": change(make_scores(["a"]), 7, "label", np.nan)}, "clip a: 1 of 60 labels are missing"),
        ({"scores": change(make_scores(["a"]), 7, "label", 2)}, "labels are 0, 1 or missing"),
        ({"scores": make_scores(["a"]).drop(columns="Prototypes")}, "scores: no column 'Prototypes'; found clip, frame"),
        ({"scores": make_scores(["a", "a"])}, "clip a: 60 frames to show but 120 in the scores"),
        ({"detectors": []}, "detectors: expected one name or more"),
        ({"thresholds": {"X": 1}}, "thresholds: 'X' is none of the detectors"),
        ({"thresholds": {"PaDiM": np.nan}}, "thresholds: PaDiM has nan"),
        ({"heat_limits": {"PaDiM": (2, 1)}}, "heat_limits: PaDiM has .*the lower first"),
        ({"colours": {"PaDiM": "red; x"}}, "colours: PaDiM has 'red; x'"),
        ({"alarms": pd.DataFrame({"clip": ["a"]})}, "alarms: no column 'detector'"),
        ({"alarms": pd.DataFrame({"clip": ["b"], "detector": ["PaDiM"], "first": [0], "last": [1]})}, "alarms: clip 'b'.*is not shown"),
        ({"alarms": pd.DataFrame({"clip": ["a"], "detector": ["PaDiM"], "first": [90], "last": [99]})}, "holds no scored frame"),
    ],
)  # fmt: skip
def test_bad_input_is_named_and_leaves_nothing(given, message, tmp_path):
    whole = {"clips": None, "scores": make_scores(["a"]), "detectors": DETECTORS} | given
    clips = [make_clip("a")] if whole["clips"] is None else whole["clips"]
    rest = {name: value for name, value in whole.items() if name not in ("clips", "scores", "detectors")}
    with pytest.raises(ParameterError, match=message):
        write_viewer(tmp_path / "viewer", clips, whole["scores"], whole["detectors"], **rest)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ResultsError, match="exists already; give the path of a folder to make"):
        write_viewer(tmp_path, [make_clip("a")], make_scores(["a"]), DETECTORS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_addresses_are_relative_to_the_chapter_and_quoted():
    assert viewer_address("30_footage") == "../results/30_footage/viewer/index.html"
    address = viewer_address("30_footage", HOSTILE, 12)
    assert re.fullmatch(r"[\w./#%!~*'()-]+", address)
    assert unquote(address.split("#")[1]) == f"{HOSTILE}/12"
    code = embed_viewer("30_footage", height_px=700)
    assert code.count('"../results/30_footage/viewer/index.html"') == 2
    assert "height: 700px" in code


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser():
    program = find_chromium()
    if program is None:
        pytest.skip(f"needs a browser to drive: none of {', '.join(NAMES)} is on this machine")
    with Browser(program) as found:
        yield found


@pytest.fixture
def open_viewer(browser, folder):
    """Open the viewer; at the end, nothing may have gone wrong on the page or been asked of another place."""
    opened = []

    def start(fragment="clip_10/0", **options):
        page = browser.open(folder.joinpath("index.html").as_uri() + f"#{fragment}", **options)
        opened.append(page)
        page.wait("document.getElementById('picture').dataset.picture !== undefined")
        return page

    yield start
    for page in opened:
        assert page.errors == []
        assert page.requests
        assert all(address.startswith(folder.as_uri() + "/") for address in page.requests)
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("document.getElementById('fault').hidden") is True


def frame_of(page):
    return int(re.match(r"frame (\d+)", page.evaluate("document.getElementById('clock').textContent"))[1])


def text_of(page, selector):
    return page.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


def seen(page, selector):
    """The pixels of an element as they are on the screen, uint8 (h, w, 3), RGB."""
    x, y, width, height = page.evaluate(
        f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height]; })()"
    )
    clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
    content = page.call("Page.captureScreenshot", clip=clip)["data"]
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def square_at(page):
    """The left edge, in the frame's own pixels, of the yellow square in the picture on the screen."""
    image = seen(page, "#picture").astype(int)
    columns = np.flatnonzero(((image[..., 0] > 200) & (image[..., 2] < 90)).sum(axis=0) > 5)
    return columns[0] / image.shape[1] * 96


def test_keys_step_and_the_picture_is_the_frame(open_viewer):
    page = open_viewer()
    page.press("h")  # no heat over the frame, which then has its colours
    assert frame_of(page) == 0
    assert square_at(page) == pytest.approx(0, abs=1.2)
    for key, shift, wanted in [
        ("ArrowRight", False, 1), ("ArrowRight", False, 2), ("ArrowLeft", False, 1), ("ArrowRight", True, 13),
        ("End", False, 59), ("ArrowRight", False, 59), ("ArrowLeft", True, 47), ("ArrowLeft", False, 46),
        ("ArrowRight", True, 58), ("Home", False, 0), ("ArrowLeft", False, 0), ("ArrowRight", True, 12),
    ]:  # fmt: skip
        page.press(key, shift=shift)
        assert frame_of(page) == wanted
        assert page.evaluate("Number(document.getElementById('scrub').value)") == wanted
        assert square_at(page) == pytest.approx(wanted, abs=1.2)


def test_space_plays_at_the_clips_speed_to_the_end_and_pauses(open_viewer):
    page = open_viewer()
    page.press(" ")
    assert page.evaluate("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    started = page.evaluate("performance.now()")
    page.wait("Number(document.getElementById('scrub').value) >= 12")
    seconds = (page.evaluate("performance.now()") - started) / 1000
    assert 0.8 < seconds < 10  # 12 frames at 12 a second; slower where the machine is, never faster
    page.press(" ")
    stopped = frame_of(page)
    assert page.evaluate("new FalseAlarmTarget(r => setTimeout(r, 250)).then(() => 1)") == 1
    assert frame_of(page) == stopped
    page.evaluate("document.getElementById('speed').value = '4'")
    page.press(" ")
    page.wait("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert frame_of(page) == 59
    page.press(" ")  # from the end it starts again
    page.wait("Number(document.getElementById('scrub').value) < 50")


def test_scrubbing_in_the_plot_goes_to_the_moment(open_viewer):
    page = open_viewer()
    box = page.evaluate("(({x, y, width}) => [x, y, width])(document.getElementById('plot').getBoundingClientRect())")
    place = [box[0] + 34 + frame / 59 * (box[2] - 40) for frame in range(60)]
    page.drag((place[5], box[1] + 20), (place[25], box[1] + 20))
    assert frame_of(page) == 25
    assert text_of(page, "#badge-truth") == "anomalous"
    assert page.evaluate("document.getElementById('badge-alarm').hidden") is False
    page.drag((place[33], box[1] + 30), (place[33], box[1] + 30))
    assert frame_of(page) == 33
    assert page.evaluate("document.getElementById('badge-alarm').hidden") is True


def counts(scores, detector, threshold):
    """What the table under the plot must say of labelled clips, counted one frame at a time."""
    events = found = false = 0
    above = {0: [0, 0], 1: [0, 0]}
    for _, clip in scores.groupby("clip"):
        labels, over = clip["label"].tolist(), (clip[detector].astype(np.float32) >= threshold).tolist()
        for label, is_over in zip(labels, over, strict=True):
            above[label][0] += is_over
            above[label][1] += 1
        for flags, other in ((labels, over), (over, labels)):
            inside, met, n, n_met = False, False, 0, 0
            for flag, also in zip([*flags, False], [*other, False], strict=True):
                if flag and not inside:
                    n, met = n + 1, False
                if flag:
                    met = met or bool(also)
                elif inside:
                    n_met += met
                inside = bool(flag)
            if flags is labels:
                events, found = events + n, found + n_met
            else:
                false += n - n_met
    shares = [f"{part} of {whole} ({int(100 * part / whole + 0.5)} %)" for part, whole in (above[1], above[0])]
    return [f"{found} of {events}", str(false), *shares]


def table_of(page):
    return page.evaluate(
        "[...document.querySelectorAll('#counts tbody tr')].map(r => [...r.children].map(c => c.textContent))"
    )


def test_dragging_the_threshold_moves_alarms_and_counts(open_viewer):
    page = open_viewer()
    labelled = make_scores(["clip_10", HOSTILE])
    one = labelled[labelled["clip"] == "clip_10"]
    assert table_of(page) == [
        ["this clip", *counts(one, "PaDiM", 10.0)],
        ["2 labelled clips", *counts(labelled, "PaDiM", 10.0)],
    ]
    assert table_of(page)[0][1:3] == ["1 of 1", "1"]
    assert page.evaluate("document.querySelectorAll('#lanes .alarm').length") == 2
    assert page.evaluate("document.querySelectorAll('#lanes .alarm.false').length") == 1
    x, y = page.middle("#threshold .tag")
    page.drag((x, y), (x, y + 60))
    value = page.evaluate("Number(document.querySelector('#threshold').getAttribute('aria-valuetext').split(',')[0])")
    assert value < 9
    threshold = page.evaluate("document.getElementById('threshold').getAttribute('aria-valuenow')")
    every = make_scores(["clip_10", HOSTILE, "clip_2"])["PaDiM"].astype(np.float32).astype(float)
    exact = every.mean() + float(threshold) * every.std()
    assert value == pytest.approx(exact, abs=0.02)
    assert "moved from 10.0" in text_of(page, "#counts-caption")
    assert table_of(page)[0] == ["this clip", *counts(one, "PaDiM", exact)]
    assert page.evaluate("document.activeElement.id") == "threshold"
    page.press("ArrowUp")
    assert float(page.evaluate("document.getElementById('threshold').getAttribute('aria-valuenow')")) == pytest.approx(
        float(threshold) + 0.05, abs=0.006
    )
    assert frame_of(page) == 0  # the arrow was the threshold's
    page.press("End")  # above everything
    assert table_of(page)[0][1:3] == ["0 of 1", "0"]
    page.click("#reset")
    assert table_of(page)[0][1:3] == ["1 of 1", "1"]
    assert page.evaluate("document.getElementById('reset').hidden") is True


def test_hostile_name_is_shown_as_it_is_and_its_address_opens_it(open_viewer):
    page = open_viewer(viewer_address("x", HOSTILE, 22).split("#")[1])
    assert text_of(page, "#clip-name") == HOSTILE
    assert frame_of(page) == 22
    assert HOSTILE in names_in_list(page)
    assert page.evaluate("document.images.length") == 0
    assert (
        page.evaluate("document.getElementById('picture').getAttribute('aria-label')") == f"Frame 22 of clip {HOSTILE}"
    )


def names_in_list(page):
    return page.evaluate("[...document.querySelectorAll('#clips .name')].map(e => e.textContent)")


def test_brackets_go_through_clips_in_the_order_of_the_list(open_viewer):
    page = open_viewer()
    assert names_in_list(page)[-2:] == ["clip_2", "clip_10"]  # by number, not by letter
    page.press("[")
    assert text_of(page, "#clip-name") == "clip_2"
    assert table_of(page)[0] == ["this clip", "unknown", "2 alarms", "unknown", "11 of 60 (18 %)"]
    assert page.evaluate("document.querySelectorAll('#truth rect').length") == 0
    assert "not known" in text_of(page, "#key-to-plot")
    page.press("]")
    assert text_of(page, "#clip-name") == "clip_10"
    page.press("]")  # there is none after it
    assert text_of(page, "#clip-name") == "clip_10"
    page.evaluate(
        "(s => { s.value = 'score'; s.dispatchEvent(new Event('change')); })(document.getElementById('sort'))"
    )
    assert names_in_list(page) == ["clip_2", HOSTILE, "clip_10"]  # each a quarter higher than the one before
    page.click("#clips li:nth-child(2) button")
    assert text_of(page, "#clip-name") == HOSTILE
    assert page.evaluate("document.querySelector('[aria-current=true] .name').textContent") == HOSTILE


def test_heat_lies_where_it_was_given_and_goes_with_its_slider(open_viewer):
    page = open_viewer("clip_10/3")
    heat = seen(page, "#stage").astype(int)
    page.press("h")
    bare = seen(page, "#stage").astype(int)
    page.press("h")
    change = np.abs(heat - bare).sum(axis=2)
    height, width = change.shape
    colour = (heat.max(axis=2) - heat.min(axis=2)).astype(np.float32)  # the frame below is grey
    colour[: height // 4] = 0  # the badges
    row, column = np.unravel_index(cv2.blur(colour, (15, 15)).argmax(), colour.shape)
    assert (row / height, column / width) == pytest.approx((2.5 / 4, 3.5 / 6), abs=0.1)
    page.evaluate("(s => { s.value = 10; s.dispatchEvent(new Event('input')); })(document.getElementById('strength'))")
    faint = np.abs(seen(page, "#stage").astype(int) - bare).sum(axis=2)
    assert 0 < faint[row, column] < 0.5 * change[row, column]
    page.press("2")  # a detector of whole frames
    assert page.evaluate("document.getElementById('heat').hidden") is True
    assert "no heatmap" in text_of(page, "#bar-ends")
    assert page.evaluate("document.querySelectorAll('#detectors [aria-pressed=true]').length") == 1
    assert text_of(page, "#detectors [aria-pressed=true] .name") == "Prototypes"


def test_next_alarm_goes_on_into_other_clips(open_viewer):
    page = open_viewer()
    seen_at = []
    for _ in range(4):
        page.press("n")
        seen_at.append((text_of(page, "#clip-name"), frame_of(page)))
    assert seen_at[:2] == [("clip_10", 20), ("clip_10", 40)]
    assert seen_at[2][0] == page.evaluate("document.querySelector('#clips .name').textContent")
    assert seen_at[2][1] == 20


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_window_folds_the_list_and_nothing_sticks_out(open_viewer, dark):
    page = open_viewer(width=400, height=800, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("document.getElementById('list').open") is False
    page.click("#list > summary")
    assert page.evaluate("document.getElementById('list').open") is True
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.click("#clips li:nth-child(1) button")
    assert page.evaluate("document.getElementById('list').open") is False
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
    page.resize(1280)
    page.wait("document.getElementById('list').open")


def test_every_control_is_reached_by_tab_has_a_name_and_shows_its_focus(open_viewer):
    page = open_viewer()
    reached = []
    for _ in range(40):
        page.press("Tab")
        who = page.evaluate(
            "(e => e === document.body ? null : [e.id || e.querySelector('.name')?.textContent || e.textContent,"
            " (e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent).trim(),"
            " getComputedStyle(e).outlineStyle + getComputedStyle(e.querySelector('.tag') || e).stroke])"
            "(document.activeElement)"
        )
        if who is None:
            break
        reached.append(who)
    names = [who[0] for who in reached]
    wanted = ["PaDiM", "Prototypes", "strength", "play", "back", "forward", "scrub", "speed", "next-alarm", "threshold",
              "sort", "clip_2", "clip_10", HOSTILE]  # fmt: skip
    assert set(wanted) <= set(names)
    assert all(who[1] for who in reached)
    assert all("solid" in who[2] or "auto" in who[2] or who[0] == "threshold" for who in reached)
    assert next(who[2] for who in reached if who[0] == "threshold") != "nonenone"


def test_a_missing_file_is_said_on_the_page(browser, folder, tmp_path):
    copy = tmp_path / "viewer"
    shutil.copytree(folder, copy)
    (copy / "clip_0000_0.jpg").unlink()
    page = browser.open((copy / "index.html").as_uri() + "#clip_10/0")
    page.wait("!document.getElementById('fault').hidden")
    assert "clip_0000_0.jpg could not be read" in text_of(page, "#fault")


def test_alarms_of_the_report_hold_until_the_threshold_is_moved(browser, tmp_path):
    alarms = pd.DataFrame({"clip": "a", "detector": "PaDiM", "first": [18, 50], "last": [32, 55]})
    write_viewer(tmp_path / "v", [make_clip("a")], make_scores(["a"]), DETECTORS, thresholds=THRESHOLDS, alarms=alarms,
                 alarm_rule="An alarm lasts at least 5 frames")  # fmt: skip
    page = browser.open((tmp_path / "v" / "index.html").as_uri() + "#a/0")
    assert table_of(page)[0][1:3] == ["1 of 1", "1"]
    assert page.evaluate("document.querySelectorAll('#lanes .alarm').length") == 2
    assert "An alarm lasts at least 5 frames." in text_of(page, "#key-to-plot")
    found = []
    for _ in range(2):
        page.press("n")
        found.append(frame_of(page))
    assert found == [18, 50]
    page.evaluate("document.getElementById('threshold').focus()")
    page.press("ArrowDown")
    assert "every stretch that reaches it" in text_of(page, "#key-to-plot")
    page.press("Home")  # below everything: one alarm, from end to end
    assert page.evaluate("document.querySelectorAll('#lanes .alarm').length") == 1
    assert page.errors == []


def test_no_labels_at_all_nothing_is_shaded_or_counted_as_true(browser, tmp_path):
    scores = make_scores(["a"]).assign(label=np.nan)
    scores.loc[33, "PaDiM"] = THRESHOLDS["PaDiM"]  # exactly there: it reaches the threshold
    write_viewer(tmp_path / "v", [make_clip("a")], scores, DETECTORS, thresholds=THRESHOLDS)
    page = browser.open((tmp_path / "v" / "index.html").as_uri() + "#a/25")
    heads = page.evaluate("[...document.querySelectorAll('#counts th[scope=col]')].map(e => e.textContent)")
    assert heads == ["", "alarms", "frames reaching it"]
    assert table_of(page) == [["this clip", "3", "12 of 60 (20 %)"]]
    assert page.evaluate("document.querySelectorAll('#truth rect, #clips rect').length") == 0
    assert page.evaluate("document.getElementById('badge-truth').hidden") is True
    assert page.errors == []


@pytest.mark.parametrize("n", [1, 2])
def test_clips_of_one_or_two_frames_are_shown(browser, tmp_path, n):
    write_viewer(tmp_path / "v", [make_clip("a", n)], make_scores(["a"], n), DETECTORS)
    page = browser.open((tmp_path / "v" / "index.html").as_uri())
    page.wait("document.getElementById('picture').dataset.picture !== undefined")
    for key in (" ", "End", "Home", "n", "]"):
        page.press(key)
    page.wait("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert "NaN" not in page.evaluate("document.documentElement.outerHTML.replace(/<script[^]*?<\\/script>/g, '')")
    assert page.errors == []


@pytest.fixture
def small_book(tmp_path, monkeypatch, project_root, folder):
    """A book of one chapter, which shows the viewer that its results hold."""
    for name in ("_config.yml", "pyproject.toml"):
        shutil.copy(project_root / name, tmp_path)
    shutil.copytree(project_root / "book" / "_static", tmp_path / "book" / "_static")
    shutil.copy(project_root / "book" / "references.bib", tmp_path / "book")
    (tmp_path / "book" / "index.md").write_text("# A book\n\nText.\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/30_footage\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "30_footage.py").write_text("# %%\n")
    out = tmp_path / "out"
    shutil.copytree(folder, out / "results" / "30_footage" / "viewer")
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    shown = nbformat.v4.new_output("display_data", {"text/html": embed_viewer("30_footage")})
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# Watch"),
        nbformat.v4.new_code_cell("HTML(embed_viewer('30_footage'))", outputs=[shown], execution_count=1),
    ]
    (out / "notebooks").mkdir()
    nbformat.write(notebook, out / "notebooks" / "30_footage.ipynb")
    monkeypatch.chdir(tmp_path)
    return out


@pytest.mark.long
def test_the_book_shows_the_viewer_in_its_own_theme(small_book, browser, folder):
    build_pages(small_book)
    copied = small_book / "html" / "results" / "30_footage" / "viewer"
    assert sorted(path.name for path in copied.iterdir()) == sorted(path.name for path in folder.iterdir())
    page = browser.open((small_book / "html" / "notebooks" / "30_footage.html").as_uri())
    page.evaluate("document.querySelector('iframe').scrollIntoView()")
    page.wait("document.querySelector('iframe').contentWindow.length === 0")
    deadline = 100
    while not any(address.endswith("_0.jpg") for address in page.requests) and deadline:
        deadline -= page.evaluate("new FalseAlarmTarget(r => setTimeout(() => r(1), 50))")
    assert any(address == (copied / "index.html").as_uri() for address in page.requests)
    for theme, is_dark in (("dark", True), ("light", False)):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.evaluate("new FalseAlarmTarget(r => setTimeout(() => r(1), 300))")
        assert (seen(page, "iframe")[-12, 12].mean() < 60) == is_dark
