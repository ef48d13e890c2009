import numpy as np
import pytest
import torch
from films import SOUND_HZ, write_film

from vadlib.data import Sound, open_dataset
from vadlib.data.reading.sound import SoundReader, iterate_sound
from vadlib.errors import ParameterError, UnreadableError

N_FRAMES, FPS = 50, 25  # two seconds
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SOUND_HZ).astype(np.float32)
TOLERANCE = 2e-4  # 16 bits


def open_film(folder, sound, *, from_s=0.0, name="a.mkv", **options):
    write_film(folder / name, range(N_FRAMES), sound=sound, sound_from_s=from_s, **options)
    return open_dataset("folder", folder, allow_missing=True)


def read(dataset, seconds=0.5, rate_hz=SOUND_HZ, **options):
    """The rows and samples of all that a reader gives, and the reader."""
    reader = SoundReader(dataset, dataset.frame_table(), seconds, rate_hz=rate_hz, progress=False, **options)
    batches = list(reader)
    samples = torch.cat([batch.images for batch in batches]) if batches else torch.empty(0, reader.n_samples)
    return np.concatenate([batch.rows for batch in batches]) if batches else [], samples.numpy(), reader


def before(sound, frame, n_samples, from_s=0.0):
    """The samples before a frame, the slow way: silent where there is no sound."""
    end = round(frame / FPS * SOUND_HZ) - round(from_s * SOUND_HZ)
    return np.array([sound[i] if 0 <= i < len(sound) else 0 for i in range(end - n_samples, end)], np.float32)


@pytest.mark.parametrize("from_s", [0.0, 0.3])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 3.0])
def test_samples_before_each_frame(tmp_path, from_s, seconds):
    """At the clip's start there is silence before them; sound may begin after the pictures."""
    sound = NOISE[: len(NOISE) // 1024 * 1024]
    rows, samples, reader = read(open_film(tmp_path, sound, from_s=from_s), seconds, batch_size=7)
    assert rows.tolist() == list(range(N_FRAMES))
    assert (samples.dtype, samples.shape) == (np.float32, (N_FRAMES, round(seconds * SOUND_HZ)))
    for frame in range(N_FRAMES):
        expected = before(sound, frame, reader.n_samples, from_s)
        np.testing.assert_allclose(samples[frame], expected, atol=TOLERANCE)


def test_nothing_is_heard_ahead(tmp_path):
    """A bang in the very moment of frame 20 is heard before frame 21, and not before 20."""
    sound = np.zeros(2 * SOUND_HZ, np.float32)
    sound[20 * SOUND_HZ // FPS] = 0.9
    _, samples, _ = read(open_film(tmp_path, sound), 1.0)
    assert np.flatnonzero(np.abs(samples).max(axis=1) > 0.5).tolist() == list(range(21, 46))


def test_another_rate_and_lossy_sound(tmp_path):
    t = np.arange(2 * SOUND_HZ) / SOUND_HZ
    sound = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    _, samples, _ = read(open_film(tmp_path, sound), 0.5, 16_000)
    assert samples.shape[1] == 8000
    last = samples[40]
    spectrum = np.abs(np.fft.rfft(last * np.hanning(8000)))
    assert abs(spectrum.argmax() * 2 - 440) <= 2
    assert 0.45 < np.abs(last).max() < 0.55


def test_a_hole_is_silent_and_what_follows_in_its_place(tmp_path):
    write_film(tmp_path / "a.mkv", range(N_FRAMES), sound=NOISE, lost_sound=lambda block: 4 <= block < 8)
    _, samples, reader = read(open_dataset("folder", tmp_path, allow_missing=True))
    sound = NOISE.copy()
    sound[4 * 1024 : 8 * 1024] = 0
    for frame in (20, 30, 40):
        np.testing.assert_allclose(samples[frame], before(sound, frame, reader.n_samples), atol=TOLERANCE)


def test_sound_that_ends_early(tmp_path):
    """Frames whose seconds lie wholly behind its end have none; it is not taken for silence."""
    dataset = open_film(tmp_path, NOISE[: SOUND_HZ // 1024 * 1024])
    with pytest.raises(UnreadableError, match=r"a\.mkv: its sound ends after 0\.9 s"):
        read(dataset)
    with pytest.warns(UserWarning, match="its sound ends"):
        rows, _, reader = read(dataset, skip_unreadable=True)
    assert rows.tolist() == list(range(35))  # 7 x 1024 samples and half a second
    assert reader.skipped.tolist() == list(range(35, N_FRAMES))


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_clips_without_sound(tmp_path, write, kind):
    if kind == "video":
        write_film(tmp_path / "b.mp4", range(8))
    else:
        write.frames(tmp_path / "b", 8)
    write_film(tmp_path / "a.mkv", range(8), sound=NOISE)
    dataset = open_dataset("folder", tmp_path, allow_missing=True)
    with pytest.raises(UnreadableError, match="no sound"):
        read(dataset)
    with pytest.warns(UserWarning, match="no sound"):
        rows, _, reader = read(dataset, skip_unreadable=True)
    assert rows.tolist() == list(range(8))
    assert len(reader.skipped) == 8


def test_damaged_sound(tmp_path):
    """What can be decoded is given; nothing else than the library's own errors is raised."""
    path = write_film(tmp_path / "a.mkv", range(N_FRAMES), sound=NOISE)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for case in range(25):
        damaged = bytearray(content[: rng.integers(100, len(content))] if case % 2 else content)
        for place in rng.integers(0, len(damaged), 30):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            for at, block in iterate_sound(path, 16_000):
                assert block.dtype == np.float32
                assert abs(at) < 2**62
        except UnreadableError:
            pass


def test_parameters(tmp_path):
    dataset = open_film(tmp_path, NOISE)
    with pytest.raises(ParameterError, match="is not one sample"):
        read(dataset, 0)
    reader = Sound(0.25, SOUND_HZ).open(dataset, dataset.frame_table(), size=(8, 8), batch_size=4)
    assert (reader.n_samples, reader.batch_size) == (2000, 4)
    with pytest.raises(ParameterError, match="no rows"):
        Sound().open(dataset, dataset.frame_table().iloc[:0])
