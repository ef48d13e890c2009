"""The clip viewer: what is in its file, and what it does in a browser."""

import base64
import hashlib
import io
import json
import re
import shutil
import weakref
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote

import av
import cv2
import nbformat
import numpy as np
import pandas as pd
import pytest
from browser import NAMES, Browser, find_chromium

from vadlib.errors import ParameterError, ResultsError
from vadlib.frame_times import UnevenRate
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


def read_page(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def array(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def pictures_of(clip):
    """Pictures uint8 (n, H, W, 3) of a clip as the page has it, which come evenly."""
    with av.open(io.BytesIO(base64.b64decode(clip["video"]))) as container:
        frames = list(container.decode(video=0))
    assert [round(media.PER_SECOND * frame.time) for frame in frames] == list(range(len(frames)))
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames])


def heat_of(clip, d):
    values = np.frombuffer(zlib.decompress(base64.b64decode(clip["maps"][str(d)])), np.uint8)
    return np.cumsum(values.reshape(-1, *clip["grids"][d]), axis=0, dtype=np.uint8)


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def viewer(tmp_path_factory):
    """Three clips: a plain one, one with a hostile name, one whose truth is unknown and which has no heat."""
    path = tmp_path_factory.mktemp("viewer") / "with space" / "viewer.html"
    path.parent.mkdir()
    names = ["clip_10", HOSTILE, "clip_2"]
    scores = make_scores(names).astype({"label": float})
    scores.loc[scores["clip"] == "clip_2", "label"] = -1
    clips = [make_clip(name, heat=name != "clip_2") for name in names]
    write_viewer(path, clips, scores, DETECTORS, thresholds=THRESHOLDS, threshold_rule="chosen here",
                 title="Clips <of> a test", heat_limits={"PaDiM": (0, 20)})  # fmt: skip
    return path


def test_everything_is_in_the_file_as_it_was_given(viewer):
    page, scores = read_page(viewer), make_scores(["clip_10"])
    assert [clip["id"] for clip in page["clips"]] == ["clip_10", HOSTILE, "clip_2"]
    for clip in page["clips"]:
        assert array(clip["frames"], "<i4").tolist() == list(range(60))
        wanted = np.stack(list(moving_square(60)))
        assert np.abs(pictures_of(clip).astype(int) - wanted).mean(axis=(1, 2, 3)).max() < 4
    for d, name in enumerate(DETECTORS):
        assert array(page["clips"][0]["scores"][d], "<f4").tolist() == scores[name].astype(np.float32).tolist()
    assert array(page["clips"][0]["labels"], np.uint8).tolist() == scores["label"].tolist()
    assert page["clips"][2]["labels"] is None
    assert np.abs(heat_of(page["clips"][0], 0).astype(int) - make_clip("a").heat["PaDiM"]).max() < media.HEAT_STEP
    assert [clip["grids"] for clip in page["clips"]] == [[[4, 6], None]] * 2 + [[None, None]]
    assert [detector["heat"] for detector in page["detectors"]] == [[0, 20], None]
    assert [detector["threshold"] for detector in page["detectors"]] == [10, 0.5]
    assert page["detectors"][0]["colour"] == "#009E73"


def test_no_name_becomes_markup_and_nothing_comes_from_elsewhere(viewer):
    text = viewer.read_text(encoding="utf-8")
    elements = Elements()
    elements.feed(text)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert "<title>Clips &lt;of&gt; a test</title>" in text
    assert not {"src", "href"} & {name for _, attributes in elements.found for name in attributes}
    code = re.sub(r'id="data">.*?</script>|^\s*//.*?$|(?<=[;{ ])// .*?$', "", text, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"(?:https?:)?//[a-z][\w.]*", code) == ["http://www.w3.org"]  # the name of SVG
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(name) == f"'sha256-{digest}'"
    nothing = dict.fromkeys(("default-src", "base-uri", "form-action"), "'none'")
    assert rules == nothing | {"media-src": "blob:"}


def test_pictures_are_brought_down_to_size_never_up(tmp_path):
    for longest, size in ((48, (32, 48)), (320, (64, 96)), (1, (1, 1))):
        path = tmp_path / f"{longest}.html"
        write_viewer(path, [make_clip("a", 3, heat=False)], make_scores(["a"], 3), DETECTORS, longest_side_px=longest)
        assert pictures_of(read_page(path)["clips"][0]).shape == (3, *size, 3)


def noisy(n, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)


def test_budget_holds_is_spent_and_says_what_it_took(tmp_path):
    def write(name, **options):
        clips = [make_clip(clip, images=noisy(60)) for clip in "ab"]
        return write_viewer(tmp_path / name, clips, make_scores("ab"), DETECTORS, **options)

    whole = write("whole.html")
    assert (whole["every"], whole["quality"], whole["n_pictures"]) == (1, media.QUALITIES[0], 120)
    assert whole["bytes"] == (tmp_path / "whole.html").stat().st_size
    page = read_page(tmp_path / "whole.html")
    base = whole["bytes"] - sum(len(clip["video"]) for clip in page["clips"])
    for share in (0.4, 0.05):
        found = write(f"{share}.html", max_bytes=int(base + share * (whole["bytes"] - base)))
        assert found["bytes"] == (tmp_path / f"{share}.html").stat().st_size <= base + share * (whole["bytes"] - base)
        page = read_page(tmp_path / f"{share}.html")
        assert "to keep the file under" in found["summary"]
        assert found["summary"] in page["summary"]
        assert (found["every"] > 1) == (f"one picture for {found['every']} frames" in page["summary"])
        assert found["n_pictures"] == sum(len(range(0, 60, found["every"])) for _ in "ab")
        for clip in page["clips"]:
            assert len(array(clip["frames"], "<i4")) == len(array(clip["scores"][0], "<f4")) == 60
            wanted = np.stack(list(noisy(60)))[:: page["every"]]
            assert np.abs(pictures_of(clip).astype(float) - wanted).mean() < 60  # of noise, coarsely; 85 for others
            heat = make_clip("a").heat["PaDiM"][:: page["every"]]
            assert np.abs(heat_of(clip, 0).astype(int) - heat).max() < media.HEAT_STEP
    assert found["every"] > 2


def test_budget_too_small_is_said_and_leaves_nothing(tmp_path):
    message = r"max_bytes: 20,000 are too few; 1 clip, 60 scored frames need [\d,]+ even with one picture a clip"
    with pytest.raises(ParameterError, match=message):
        write_viewer(tmp_path / "v.html", [make_clip("a")], make_scores(["a"]), DETECTORS, max_bytes=20_000)
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

    write_viewer(tmp_path / "v.html", [make_clip("a", images=images())], make_scores(["a"]), DETECTORS)
    assert most <= 3


def test_same_input_same_bytes(tmp_path):
    found = []
    for budget in (10_000_000, 10_000_000, 90_000, 90_000):  # coded once, and again from that
        path = tmp_path / f"{len(found)}.html"
        write_viewer(path, [make_clip("a", 20, images=noisy(20))], make_scores("a", 20), DETECTORS, max_bytes=budget)
        found.append(path.read_bytes())
    assert found[0] == found[1] != found[2] == found[3]


def test_alarms_given_are_shown_by_rows_of_the_clip(tmp_path):
    frames = np.arange(100, 220, 2)
    clip = ViewerClip("a", "", 12.0, frames, moving_square(60), {})
    scores = make_scores(["a"]).assign(frame=frames)
    alarms = pd.DataFrame({"clip": "a", "detector": "Prototypes", "first": [150, 101], "last": [160, 104]})
    write_viewer(tmp_path / "v.html", [clip], scores, DETECTORS, alarms=alarms, alarm_rule="As the report has them")
    page = read_page(tmp_path / "v.html")
    assert page["clips"][0]["alarms"] == [[], [[1, 2], [25, 30]]]
    assert page["alarm_rule"] == "As the report has them"


def test_threshold_that_nobody_gave_is_said_to_be_a_share_of_the_frames(tmp_path):
    write_viewer(tmp_path / "v.html", [make_clip("a")], make_scores(["a"]), DETECTORS, thresholds={"PaDiM": 10})
    first, second = read_page(tmp_path / "v.html")["detectors"]
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
        write_viewer(tmp_path / "viewer.html", clips, whole["scores"], whole["detectors"], **rest)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone_and_a_page_is_called_so(tmp_path):
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    for path, error, message in (
        (mine, ResultsError, "exists already; give the path of a file to make"),
        (tmp_path / "viewer", ParameterError, "path: expected a name that ends in .html, found 'viewer'"),
        (tmp_path / "gone/viewer.html", ResultsError, "could not be written to .*gone"),
    ):
        with pytest.raises(error, match=message):
            write_viewer(path, [make_clip("a", 2)], make_scores(["a"], 2), DETECTORS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]
    assert mine.read_text() == "mine"


def test_addresses_are_relative_to_the_chapter_and_quoted():
    assert viewer_address("30_footage") == "../results/30_footage/viewer.html"
    address = viewer_address("30_footage", HOSTILE, 12)
    assert re.fullmatch(r"[\w./#%!~*'()-]+", address)
    assert unquote(address.split("#")[1]) == f"{HOSTILE}/12"
    assert embed_viewer("30_footage").count('"../results/30_footage/viewer.html"') == 2


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser():
    program = find_chromium()
    if program is None:
        pytest.skip(f"needs a browser to drive: none of {', '.join(NAMES)} is on this machine")
    with Browser(program) as found:
        yield found


@pytest.fixture
def open_viewer(browser, viewer):
    """Open the viewer; at the end, nothing may have gone wrong on the page or been asked of another place."""
    opened = []

    def start(fragment="clip_10/0", **options):
        page = browser.open(f"{viewer.as_uri()}#{fragment}", **options)
        opened.append(page)
        settle(page)
        return page

    yield start
    for page in opened:
        assert page.errors == []
        assert [address for address in page.requests if not address.startswith("blob:")] == [viewer.as_uri()]
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("document.getElementById('fault').hidden") is True


def settle(page):
    """Wait until the picture of the frame in view is on the screen; gives its number."""
    page.wait(
        "document.getElementById('waiting').hidden && document.getElementById('picture').dataset.picture !== undefined"
    )
    return int(page.evaluate("document.getElementById('picture').dataset.picture"))


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


def numbered(n):
    """Frames of 8 black or white fields: the bits of their number."""
    for number in range(n):
        fields = [255 * (number >> bit & 1) for bit in range(8)]
        yield np.repeat(np.kron(np.uint8([fields]), np.ones((24, 12), np.uint8))[..., None], 3, axis=2)


def number_seen(page):
    image = seen(page, "#picture")
    fields = image[image.shape[0] // 2, (np.arange(8) * 2 + 1) * image.shape[1] // 16].mean(axis=1)
    return int((fields > 128) @ 2 ** np.arange(8))


def go_to(page, rows):
    page.evaluate(
        f"(s => {{ for (s.value of {rows}) s.dispatchEvent(new Event('input')); }})(document.getElementById('scrub'))"
    )


def test_the_frame_on_the_screen_is_the_one_asked_for(browser, tmp_path):
    """Near and far, and when asked for others before it has come; checked by the pixels."""
    clip = make_clip("a", 200, images=numbered(200), heat=False)
    write_viewer(tmp_path / "v.html", [clip], make_scores("a", 200), DETECTORS)
    page = browser.open((tmp_path / "v.html").as_uri() + "#a/7")
    assert settle(page) == number_seen(page) == 7
    rng = np.random.default_rng(1)
    for n in [1] * 15 + [6] * 10:
        rows = rng.integers(0, 200, n).tolist()
        go_to(page, rows)
        assert settle(page) == number_seen(page) == rows[-1] == frame_of(page)
    for key, wanted in (("End", 199), ("ArrowLeft", 198), ("Home", 0), *[("ArrowRight", k) for k in range(1, 6)]):
        page.press(key)
        assert settle(page) == number_seen(page) == wanted
    assert page.errors == []


def test_thinned_out_it_is_the_last_picture_before(browser, tmp_path):
    def write(**options):
        clip = make_clip("a", 200, images=numbered(200), heat=False)
        return write_viewer(tmp_path / f"{len(options)}.html", [clip], make_scores("a", 200), DETECTORS, **options)

    whole = write()
    video = len(read_page(tmp_path / "0.html")["clips"][0]["video"])
    found = write(max_bytes=whole["bytes"] - int(0.8 * video))
    every = found["every"]
    assert every > 1
    page = browser.open((tmp_path / "1.html").as_uri() + "#a/7")
    for row in (7, 199, 100, 101, 0, 3):
        go_to(page, [row])
        assert settle(page) == row // every
        assert number_seen(page) == row // every * every
        assert frame_of(page) == row
    assert f"a picture for {-(-200 // every)} of them" in text_of(page, "#clip-facts")
    page.press(" ")
    page.wait("Number(document.getElementById('scrub').value) >= 12")
    page.press(" ")
    assert settle(page) * every == number_seen(page) == frame_of(page)


def test_keys_step(open_viewer):
    page = open_viewer()
    for key, shift, wanted in [
        ("ArrowRight", False, 1), ("ArrowRight", False, 2), ("ArrowLeft", False, 1), ("ArrowRight", True, 13),
        ("End", False, 59), ("ArrowRight", False, 59), ("ArrowLeft", True, 47), ("ArrowLeft", False, 46),
        ("ArrowRight", True, 58), ("Home", False, 0), ("ArrowLeft", False, 0), ("ArrowRight", True, 12),
    ]:  # fmt: skip
        page.press(key, shift=shift)
        assert frame_of(page) == wanted
        assert page.evaluate("Number(document.getElementById('scrub').value)") == wanted
        assert settle(page) == wanted


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
    assert settle(page) == stopped
    assert page.evaluate("new Promise(r => setTimeout(r, 250)).then(() => 1)") == 1
    assert frame_of(page) == stopped
    page.evaluate("document.getElementById('speed').value = '4'")
    page.press(" ")
    page.wait("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert frame_of(page) == 59
    page.press(" ")  # from the end it starts again
    page.wait("Number(document.getElementById('scrub').value) < 50")


def test_frames_that_come_unevenly_are_played_in_their_own_time(browser, tmp_path):
    """20 at once, then 4 that last, of which one lasts too long to be waited for."""
    times = np.concatenate([np.arange(20) / 50, 0.4 + np.arange(3) * 0.5, [1000, 1001]])
    clip = make_clip("a", 24, images=numbered(24), heat=False, fps=UnevenRate(times))
    write_viewer(tmp_path / "v.html", [clip], make_scores("a", 24), DETECTORS)
    page = browser.open((tmp_path / "v.html").as_uri() + "#a/0")
    settle(page)
    page.evaluate(
        "(s => { window.seen = []; new MutationObserver(() => seen.push([performance.now() / 1000, +s.dataset.picture]))"
        ".observe(s, { attributeFilter: ['data-picture'] }); })(document.getElementById('picture'))"
    )
    page.press(" ")
    page.wait("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    came = {int(picture): second for second, picture in page.evaluate("seen")}
    assert {21, 22, 23} <= came.keys()  # of those that come fast, a busy machine leaves some out
    assert 0.3 < came[22] - came[21] < 3  # half a second; slower where the machine is
    assert 1.5 < came[23] - came[22] < 5
    assert settle(page) == number_seen(page) == frame_of(page) == 23
    assert page.errors == []


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


@pytest.mark.parametrize(("key", "message"), [("video", "pictures of this clip cannot"), ("maps", "heatmaps of this")])
def test_damage_is_said_on_the_page(browser, viewer, tmp_path, key, message):
    text = viewer.read_text(encoding="utf-8")
    value = read_page(viewer)["clips"][0][key]
    value = value if key == "video" else value["0"]
    (tmp_path / "v.html").write_text(text.replace(value, "AAAA" + value[4:]), encoding="utf-8")
    page = browser.open((tmp_path / "v.html").as_uri() + "#clip_10/0")
    page.wait("!document.getElementById('fault').hidden")
    assert message in text_of(page, "#fault")
    assert "a browser of 2024 or later" in text_of(page, "#fault")


def test_alarms_of_the_report_hold_until_the_threshold_is_moved(browser, tmp_path):
    alarms = pd.DataFrame({"clip": "a", "detector": "PaDiM", "first": [18, 50], "last": [32, 55]})
    write_viewer(tmp_path / "v.html", [make_clip("a")], make_scores(["a"]), DETECTORS, thresholds=THRESHOLDS, alarms=alarms,
                 alarm_rule="An alarm lasts at least 5 frames")  # fmt: skip
    page = browser.open((tmp_path / "v.html").as_uri() + "#a/0")
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
    write_viewer(tmp_path / "v.html", [make_clip("a")], scores, DETECTORS, thresholds=THRESHOLDS)
    page = browser.open((tmp_path / "v.html").as_uri() + "#a/25")
    heads = page.evaluate("[...document.querySelectorAll('#counts th[scope=col]')].map(e => e.textContent)")
    assert heads == ["", "alarms", "frames reaching it"]
    assert table_of(page) == [["this clip", "3", "12 of 60 (20 %)"]]
    assert page.evaluate("document.querySelectorAll('#truth rect, #clips rect').length") == 0
    assert page.evaluate("document.getElementById('badge-truth').hidden") is True
    assert page.errors == []


@pytest.mark.parametrize("n", [1, 2])
def test_clips_of_one_or_two_frames_are_shown(browser, tmp_path, n):
    write_viewer(tmp_path / "v.html", [make_clip("a", n)], make_scores(["a"], n), DETECTORS)
    page = browser.open((tmp_path / "v.html").as_uri())
    page.wait("document.getElementById('picture').dataset.picture !== undefined")
    for key in (" ", "End", "Home", "n", "]"):
        page.press(key)
    page.wait("document.getElementById('play').getAttribute('aria-label') === 'Play'")
    assert "NaN" not in page.evaluate("document.documentElement.outerHTML.replace(/<script[^]*?<\\/script>/g, '')")
    assert page.errors == []


@pytest.fixture
def small_book(tmp_path, monkeypatch, project_root, viewer):
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
    (out / "results" / "30_footage").mkdir(parents=True)
    shutil.copy(viewer, out / "results" / "30_footage" / "viewer.html")
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
def test_the_book_shows_the_viewer_in_its_own_theme(small_book, browser, viewer):
    build_pages(small_book)
    copied = small_book / "html" / "results" / "30_footage" / "viewer.html"
    assert copied.read_bytes() == viewer.read_bytes()
    page = browser.open((small_book / "html" / "notebooks" / "30_footage.html").as_uri())
    page.evaluate("document.querySelector('iframe').scrollIntoView()")
    deadline = 100
    while not any(address.startswith("blob:") for address in page.requests) and deadline:
        deadline -= page.evaluate("new Promise(r => setTimeout(() => r(1), 50))")
    assert copied.as_uri() in page.requests
    for theme, is_dark in (("dark", True), ("light", False)):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.evaluate("new Promise(r => setTimeout(() => r(1), 300))")
        assert (seen(page, "iframe")[-12, 12].mean() < 60) == is_dark
