# Which notebook needs which results, and what makes it run again: its own source, its profile, the library, the paper's
# values, the demo's world, a weights file, or a result it reads. A published data set is taken to stay as it is; a folder of one's own is looked at.
# `make book` calls this through `vadlib book`; a cluster's executor plugins work as usual.
import hashlib
import os
import sys
from glob import glob
from pathlib import Path

import yaml

PROFILE = config.get("profile", "demo")
OUT = f"_build/{PROFILE}"
PROFILE_FILE = f"notebooks/profiles/{PROFILE}.yml"
with open(PROFILE_FILE) as file:
    PARAMETERS = yaml.safe_load(file)

# What the command line changes of the profile: the data set's folder, the file of weights, and how strictly the set is opened.
OVERRIDES = {name: config[name] for name in ("dataset_root", "weights", "skip_unreadable", "allow_missing") if config.get(name)}
WEIGHTS_FILE = [name for name in (OVERRIDES.get("weights", PARAMETERS["weights"]),) if os.path.isfile(name)]
BUNDLED = [path for path in glob("vadlib/networks/bundled/**", recursive=True) if os.path.isfile(path)]
PAGES = [f"book/{path}" for path in glob_wildcards("book/{path,.*[^~]}").path]

UPSTREAM = {
    "01_dataset": [],
    "02_padim": [],
    "03_gradcam_ssim": [],
    "04_clip_prototypes": [],
    "21_claims": ["01_dataset", "02_padim", "03_gradcam_ssim", "04_clip_prototypes", "22_labels_alone"],
    "26_limits": ["02_padim", "03_gradcam_ssim", "04_clip_prototypes"],
    "23_protocols": ["02_padim", "03_gradcam_ssim", "04_clip_prototypes", "22_labels_alone"],
    "25_choices": [],
    "28_networks": [],
    "30_footage": [],
    "22_labels_alone": [],
    "24_same_labels": [],
    "90_recorded": [],
}
UPSTREAM["91_provenance"] = list(UPSTREAM)  # of every run of the book
# A profile may name the chapters of its book. The provenance page tells of those that there are; others need all they read.
CHAPTERS = PARAMETERS.get("chapters") or list(UPSTREAM)
LACKING = {name for name in CHAPTERS if name not in UPSTREAM}
for name in set(CHAPTERS) - LACKING - {"91_provenance"}:
    LACKING |= set(UPSTREAM[name]) - set(CHAPTERS)
if LACKING:
    raise WorkflowError(
        f"{PROFILE_FILE}: chapters: {', '.join(sorted(LACKING))} is no notebook, or is read by a chapter named there"
        f" and not named itself; there are {', '.join(UPSTREAM)}"
    )
UPSTREAM = {name: [needed for needed in UPSTREAM[name] if needed in CHAPTERS] for name in CHAPTERS}
COMPUTES = {name for name, needed in UPSTREAM.items() if not needed} - {"90_recorded"} | {"23_protocols"}  # others: one core
READS_RECORDS = {"23_protocols", "25_choices", "90_recorded"}
RECORDED = [path for path in glob("book/recorded/*/**", recursive=True) if os.path.isfile(path)]
SOURCES = sorted(glob("notebooks/*.py") + glob("notebooks/profiles/*.yml"))  # a change in one may make a record stale
LIBRARY = sorted(glob_wildcards("vadlib/{path,[^.]+}.py").path)
AROUND = ("cli", "report/book", "report/machine_paths", "report/records/recording", "report/workflow")  # what no notebook uses
LIBRARY = [f"vadlib/{path}.py" for path in LIBRARY if path not in AROUND]
LIBRARY += sorted(glob("vadlib/viewer/assets/*"))
WORLD = sorted(glob("synthcampus/*.py"))
PYTHON = sys.executable


def note_folder_state(folder):
    """A file that is written anew when a name, size or time below a folder of one's own has changed: clips come and go."""
    files, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        try:
            own = os.stat(place)
            if (own.st_dev, own.st_ino) in seen:  # by a link: each folder is looked into once
                files.append(place)
                folders.clear()
                continue
            seen.add((own.st_dev, own.st_ino))
        except OSError:  # gone since it was listed
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(place, name)
            try:
                if not name.startswith("."):  # .DS_Store and the like are nobody's clips
                    files.append((path, os.stat(path).st_size, os.stat(path).st_mtime_ns))
            except OSError:  # gone since it was listed, or a link to nothing
                continue
    state = hashlib.sha256(repr(files).encode()).hexdigest()
    note = Path(OUT, "own_folder.sha256")
    if not note.is_file() or note.read_text() != state:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(state)
    return [str(note)]


OWN_FOLDER = OVERRIDES.get("dataset_root", PARAMETERS["dataset_root"]) if PARAMETERS["dataset"] == "folder" else None
MAKES_WORLD = PARAMETERS["dataset"] == "synthcampus" and "dataset_root" not in OVERRIDES


rule book:
    default_target: True
    input:
        notebooks=expand(OUT + "/notebooks/{name}.ipynb", name=UPSTREAM),
        results=expand(OUT + "/results/{name}", name=UPSTREAM),
        pages=[page for page in PAGES if os.path.isfile(page)],
        settings=["_config.yml", "_toc.yml", "vadlib/report/book.py", "vadlib/report/machine_paths.py"],
    output:
        OUT + "/html/index.html",
    params:
        chapters=list(UPSTREAM),
    shell:
        "{PYTHON} -m vadlib.report.book {OUT} {params.chapters}"


rule notebook:
    input:
        source="notebooks/{name}.py",
        profile=PROFILE_FILE,
        library=LIBRARY,
        paper="book/paper_values.yml",
        weights=lambda wildcards: WEIGHTS_FILE + BUNDLED,
        data=[OUT + "/data/world.json"] if MAKES_WORLD else note_folder_state(OWN_FOLDER) if OWN_FOLDER else [],
        upstream=lambda wildcards: [f"{OUT}/results/{name}" for name in UPSTREAM[wildcards.name]],
        recorded=lambda wildcards: RECORDED if wildcards.name in READS_RECORDS else [],
        sources=lambda wildcards: SOURCES if wildcards.name == "90_recorded" else [],
    output:
        notebook=OUT + "/notebooks/{name}.ipynb",
        results=directory(OUT + "/results/{name}"),
    params:
        # a function, since Snakemake takes braces in a plain text for wildcards
        overrides=lambda wildcards: [f"{name}={value}" for name, value in sorted(OVERRIDES.items())],
    threads: lambda wildcards: workflow.cores if wildcards.name in COMPUTES else 1
    shell:
        "{PYTHON} -m vadlib.report.notebooks {input.source} {output.notebook} --profile {input.profile}"
        " --results-root {OUT}/results {params.overrides:q}"


rule world:
    input:
        WORLD,
    output:
        OUT + "/data/world.json",
    params:
        seed=PARAMETERS.get("world_seed", 0),
    threads: workflow.cores
    shell:
        "rm -rf {OUT}/data && {PYTHON} -m vadlib.cli synth {OUT}/data --seed {params.seed}"
