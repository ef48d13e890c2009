# What makes a chapter run again: its code (prose and captions aside), its parameters, the library, the paper's values,
# the demo's world, a weights file, or a result it reads. Which chapters there are and what each reads, the notebooks
# themselves say (`vadlib.report.contents`). A published data set is taken to stay as it is; a folder of one's own is
# looked at. `make book` calls this through `vadlib book`; a cluster's executor plugins find each rule's needs stated.
import json
import os
import sys
from glob import glob
from pathlib import Path

from vadlib.report import changes
from vadlib.report.contents import read_contents
from vadlib.report.notebooks import read_profile_file

PROFILE = config.get("profile", "demo")
OUT = f"_build/{PROFILE}"
PROFILE_FILE = f"notebooks/profiles/{PROFILE}.yml"
VALUES = read_profile_file(PROFILE_FILE)
CONTENTS = read_contents(VALUES.get("only"))

# What the command line changes of the profile: the data set's folder, networks, and how strictly the set is opened.
CHANGEABLE = ("dataset_root", "backbone", "classifier", "embedder", "skip_unreadable", "allow_missing")
OVERRIDES = {name: config[name] for name in CHANGEABLE if config.get(name)}
NETWORKS = [{**VALUES, **OVERRIDES}.get(name, "") for name in ("backbone", "classifier", "embedder")]
WEIGHTS = [name for name in (network.partition(":")[2] for network in NETWORKS) if os.path.isfile(name)]
WEIGHTS += [path for path in glob("vadlib/networks/bundled/**", recursive=True) if os.path.isfile(path)]

AROUND = ("book", "machine_paths", "page", "authoring", "changes", "workflow", "records/recording")  # what no run uses
AROUND = {f"vadlib/{name}.py" for name in ("cli", *(f"report/{name}" for name in AROUND))}
LIBRARY = sorted(set(glob("vadlib/**/*.py", recursive=True)) - AROUND) + sorted(glob("vadlib/viewer/assets/*"))
RECORDED = [path for path in glob("book/recorded/*/**", recursive=True) if os.path.isfile(path)]
PAGES = [path for path in glob("book/**", recursive=True) if os.path.isfile(path) and not path.endswith("~")]
SCRIPTS = {chapter.name: f"notebooks/{chapter.name}.py" for chapter in CONTENTS.chapters}
PYTHON = sys.executable

# Files of the state that things are in, written anew when it has changed.
STATE = {chapter.name: f"{OUT}/state/{chapter.name}.json" for chapter in CONTENTS.chapters}
for chapter in CONTENTS.chapters:
    changes.note_chapter(Path(STATE[chapter.name]), chapter, VALUES, {"profile": PROFILE, **OVERRIDES})
CODE = changes.note_code(Path(OUT, "state", "code.json"), sorted([*Path("notebooks").rglob("*.py"), *Path("notebooks").rglob("*.yml")]))
changes.forget_lost(Path(OUT), CONTENTS, config.get("again", ()))
DATA = []
if VALUES["dataset"] == "folder":
    DATA = [changes.note_folder(Path(OUT, "state", "own_folder"), OVERRIDES.get("dataset_root", VALUES["dataset_root"]))]
elif VALUES["dataset"] == "synthcampus" and "dataset_root" not in OVERRIDES:
    DATA = [f"{OUT}/data/world.json"]


def what_it_reads(name):
    """Inputs of a chapter beside those of all."""
    chapter, upstream = CONTENTS[name], CONTENTS.upstream(name)
    records = [*RECORDED, CODE] if chapter.reads_records else []
    return [STATE[name], *(f"{OUT}/done/{other}" for other in upstream), *records]


def inputs_to_compare(wildcards, input):
    """All inputs, and for a chapter that tells of every run the records of those."""
    upstream = CONTENTS.upstream(wildcards.name) if CONTENTS[wildcards.name].reads_every_chapter else ()
    return json.dumps([*input, *(f"{OUT}/results/{name}/run.json" for name in upstream)])


rule book:
    default_target: True
    input:
        done=expand(OUT + "/done/{name}", name=CONTENTS.names),
        scripts=list(SCRIPTS.values()),
        pages=PAGES,
        settings=["_config.yml", "_toc.yml", *(f"vadlib/report/{name}.py" for name in ("book", "page", "machine_paths"))],
    output:
        OUT + "/html/index.html",
    resources:
        mem_mb=4000,
        runtime=20,
    shell:
        "{PYTHON} -m vadlib.report.warm vadlib.report.book {OUT} {CONTENTS.names}"


rule chapter:
    input:
        lambda wildcards: what_it_reads(wildcards.name),
        DATA,
        WEIGHTS,
        LIBRARY,
        "book/paper_values.yml",
    output:
        OUT + "/done/{name}",
    params:
        # functions, since Snakemake takes braces in a plain text for wildcards
        inputs=inputs_to_compare,
        overrides=lambda wildcards: [f"{name}={value}" for name, value in sorted(OVERRIDES.items())],
    threads: lambda wildcards: (workflow.cores or 8) if CONTENTS[wildcards.name].computes else 1
    resources:
        mem_mb=lambda wildcards: 16000 if CONTENTS[wildcards.name].computes else 4000,
        runtime=lambda wildcards: 720 if CONTENTS[wildcards.name].computes else 60,  # minutes
        gpu=lambda wildcards: int(config.get("gpu", 0)) if CONTENTS[wildcards.name].computes else 0,
    shell:
        "{PYTHON} -m vadlib.report.warm vadlib.report.notebooks notebooks/{wildcards.name}.py {OUT}/notebooks/{wildcards.name}.ipynb"
        " --profile {PROFILE_FILE} --results-root {OUT}/results --done {output} --inputs {params.inputs:q}"
        " {params.overrides:q}"


rule world:
    input:
        sorted(glob("synthcampus/*.py")),
    output:
        OUT + "/data/world.json",
    params:
        seed=VALUES.get("world_seed", 0),
    threads: workflow.cores or 8
    resources:
        mem_mb=8000,
        runtime=60,
    shell:
        "rm -rf {OUT}/data && {PYTHON} -m vadlib.cli synth {OUT}/data --seed {params.seed}"
