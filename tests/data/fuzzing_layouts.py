"""More layouts for `test_fuzz.py`, each with a reference that reads it in another way: SciPy for `.mat` files."""

import csv
import os

import numpy as np
import scipy.io

from vadlib.spans import runs_of_ones

AVENUE = {1: 5, 2: 6}  # frames of the test clips
LABELS = {1: [0, 1, 1, 0, 0], 2: [1, 0, 0, 1, 1, 0]}


def cells(arrays: list[np.ndarray]) -> np.ndarray:
    found = np.empty((1, len(arrays)), object)
    found[0] = [*arrays, None][:-1]
    return found


def intervals(labels: list[int]) -> np.ndarray:
    return (runs_of_ones(labels).T + [[1], [0]]).astype(np.uint16)


def add_layouts(fuzzing) -> None:
    """Put the layouts of this file beside those of `fuzzing.py`."""

    def write_avenue(root, rng):
        fuzzing.write_film(root / "training_videos/01.avi", 4, rng)
        for number, n_frames in AVENUE.items():
            fuzzing.write_film(root / f"testing_videos/{number:02d}.avi", n_frames, rng)
            labels = np.array(LABELS[number], np.uint8)
            masks = np.zeros((n_frames, fuzzing.HEIGHT, fuzzing.WIDTH), np.uint8)
            masks[:, 2:5, 3:9] = labels[:, None, None]
            path = root / f"ground_truth_demo/testing_label_mask/{number}_label.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            scipy.io.savemat(path, {"volLabel": cells(list(masks))}, do_compression=number == 1)

    def volume(root, number):
        path = root / f"ground_truth_demo/testing_label_mask/{number}_label.mat"
        if not path.exists():
            return None
        return [np.asarray(mask) for mask in loaded(path, "volLabel").ravel(order="F")]

    def loaded(path, name):
        try:
            return scipy.io.loadmat(path)[name]
        except Exception as error:
            raise fuzzing.Unreadable(path) from error

    def avenue_reference(root):
        found = {}
        for split, folder in (("train", "training_videos"), ("test", "testing_videos")):
            for path in fuzzing.listed(root / folder):
                if path.suffix.lower() in (".avi", ".mp4", ".mov", ".mkv") or path.is_dir():
                    number = int(path.stem)
                    masks = volume(root, number) if split == "test" else []
                    labels = None if masks is None else [int(mask.any()) for mask in masks]
                    found[f"{split}_{number:02d}"] = fuzzing.Expected(split, path, labels)
        return found

    def avenue_mask(root, clip_id, frame, n_frames):
        split, number = clip_id.split("_")
        return volume(root, int(number))[frame] != 0 if split == "test" else None

    def write_frame_prediction(root, rng):
        fuzzing.write_frames(root / "training/frames/01", 3, rng, "{:03d}.jpg", 1)
        for number, n_frames in AVENUE.items():
            fuzzing.write_frames(root / f"testing/frames/{number:02d}", n_frames, rng, "{:03d}.jpg", 1)
        spans = [intervals(LABELS[number]) for number in AVENUE]
        scipy.io.savemat(root / "ped2.mat", {"gt": cells(spans)})

    def frame_prediction_reference(root):
        found = {}
        for split, folder in (("train", "training"), ("test", "testing")):
            for path in fuzzing.listed(root / folder / "frames"):
                number = "".join(c for c in path.name if c.isdigit())
                if not path.is_dir() or path.name not in (number, f"Train{number}", f"Test{number}") or len(number) > 3:
                    continue
                labels = [0] * len(fuzzing.reference_pictures(path))
                if split == "test":
                    for first, last in loaded(root / "ped2.mat", "gt").ravel(order="F")[int(number) - 1].T:
                        labels[int(first) - 1 : int(last)] = [1] * (int(last) - int(first) + 1)
                found[f"{split.title()}{int(number):03d}"] = fuzzing.Expected(split, path, labels)
        return found

    def write_folder(root, rng):
        fuzzing.write_film(root / "normal/gate/a.avi", 4, rng)
        fuzzing.write_frames(root / "normal/yard/b", 3, rng, "{}.png")
        fuzzing.write_film(root / "gate/c.mp4", 5, rng)
        fuzzing.write_frames(root / "march/yard/d", 4, rng, "{:03d}.jpg", 1)
        fuzzing.write_film(root / "e.avi", 3, rng)
        (root / "labels.csv").write_text("clip,first,last,event\ngate/c.mp4,1,2,bicycle\nmarch/yard/d,3,3,\ne,,\n")

    def folder_reference(root):
        clips = {}

        def walk(folder):
            entries = [path for path in fuzzing.listed(folder) if path.name != "__MACOSX"]
            films = [p for p in entries if p.suffix.lower() in fuzzing.FILMS and not p.is_dir()]
            pictures = [p for p in entries if p.suffix.lower() in fuzzing.PICTURES and not p.is_dir()]
            if pictures and not films and folder != root:
                films = [folder]
            for path in films:
                parts = path.relative_to(root).parts
                name = parts[-1] if path.is_dir() else path.stem
                clips["_".join([*parts[:-1], name])] = (path, parts)
            for path in entries:
                if path.is_dir():
                    walk(path)

        walk(root)
        lengths = {name: len(fuzzing.reference_frames(path)) for name, (path, _) in clips.items()}
        splits = {name: "train" if parts[0].lower() == "normal" else "test" for name, (_, parts) in clips.items()}
        labels = {name: [] if splits[name] == "train" else [-1] * n for name, n in lengths.items()}
        for name, first, last in rows(root):
            (clip_id,) = {
                clip_id
                for clip_id, (path, parts) in clips.items()
                if name in (clip_id, "/".join(parts), "/".join((*parts[:-1], path.stem)), path.name, path.stem)
            }
            values = [max(value, 0) for value in labels[clip_id]]
            if first:
                values[int(first) : int(last) + 1] = [1] * (int(last) - int(first) + 1)
            labels[clip_id] = values
        return {name: fuzzing.Expected(splits[name], clips[name][0], labels[name]) for name in clips}

    def rows(root):
        if not os.path.isfile(root / "labels.csv"):
            return
        with (root / "labels.csv").open(newline="", encoding="utf-8-sig") as file:
            header, *lines = csv.reader(
                file, delimiter=max(",;\t", key=(root / "labels.csv").read_text().split("\n")[0].count)
            )
        columns = [name.strip().lower() for name in header]
        for line in lines:
            cells = dict(zip(columns, [cell.strip() for cell in line], strict=False))
            if any(cells.values()):
                yield cells["clip"], cells.get("first", ""), cells.get("last", "")

    fuzzing.LAYOUTS |= {
        "avenue": fuzzing.Layout(write_avenue, fuzzing.opener("avenue"), avenue_reference, avenue_mask),
        "ped2-frames": fuzzing.Layout(
            write_frame_prediction, fuzzing.opener("ucsd-ped2"), frame_prediction_reference, fuzzing.no_mask
        ),
        "folder": fuzzing.Layout(write_folder, fuzzing.opener("folder"), folder_reference, fuzzing.no_mask),
    }
