# Which notebook needs which results, and what makes it run again: its own source, its profile, the library, the paper's
# values, the demo's world, a weights file, or a result it reads. A real data set is taken to stay as it is.
# `make book` calls this through `vadlib book`; a cluster's executor plugins work as usual.
import os
import sys
from glob import glob

import yaml

PROFILE = config.get("profile", "demo")
OUT = f"_build/{PROFILE}"
PROFILE_FILE = f"notebooks/profiles/{PROFILE}.yml"
with open(PROFILE_FILE) as file:
    PARAMETERS = yaml.safe_load(file)

# What the command line changes of the profile: another folder for the data set, another file of weights.
OVERRIDES = {name: config[name] for name in ("dataset_root", "weights", "skip_unreadable") if config.get(name)}
WEIGHTS_FILE = [name for name in (OVERRIDES.get("weights", PARAMETERS["weights"]),) if os.path.isfile(name)]
BUNDLED = [path for path in glob("vadlib/networks/bundled/**", recursive=True) if os.path.isfile(path)]
PAGES = [f"book/{path}" for path in glob_wildcards("book/{path,.*[^~]}").path]

UPSTREAM = {
    "01_dataset": [],
    "14_recorded": [],  # reads book/recorded
    "02_padim": [],
    "03_gradcam_ssim": [],
    "04_clip_prototypes": [],
    "05_comparison": ["01_dataset", "02_padim", "03_gradcam_ssim", "04_clip_prototypes", "12_labels"],
    "06_limitations": ["02_padim", "03_gradcam_ssim", "04_clip_prototypes"],
    "07_audit": ["02_padim", "03_gradcam_ssim", "04_clip_prototypes", "12_labels"],
    "08_ablations": [],
    "09_networks": [],
    "12_labels": [],
    "13_like_for_like": [],
    "14_recorded": [],
    "10_provenance": [
        "01_dataset",
        "02_padim",
        "03_gradcam_ssim",
        "04_clip_prototypes",
        "05_comparison",
        "06_limitations",
        "07_audit",
        "08_ablations",
        "09_networks",
        "12_labels",
        "13_like_for_like",
    ],
}
READS_RECORDS = {"07_audit", "08_ablations", "14_recorded"}
READS_RESULTS = {name for name, upstream in UPSTREAM.items() if upstream} | READS_RECORDS
COMPUTES = set(UPSTREAM) - READS_RESULTS | {"07_audit", "08_ablations"}  # the others only read: one core each
RECORDED = [path for path in glob("book/recorded/*/**", recursive=True) if os.path.isfile(path)]
SOURCES = sorted(glob("notebooks/*.py") + glob("notebooks/profiles/*.yml"))  # a change in one may make a record stale
LIBRARY = sorted(glob_wildcards("vadlib/{path,[^.]+}.py").path)
LIBRARY = [f"vadlib/{path}.py" for path in LIBRARY if path not in ("cli", "report/book", "report/recording")]
LIBRARY = [f"vadlib/{path}.py" for path in LIBRARY if path not in ("cli", "report/book")]
LIBRARY += sorted(glob("vadlib/report/viewer_assets/*"))
PYTHON = sys.executable

MAKES_WORLD = PARAMETERS["dataset"] == "synthcampus" and "dataset_root" not in OVERRIDES


rule book:
    default_target: True
    input:
        notebooks=expand(OUT + "/notebooks/{name}.ipynb", name=UPSTREAM),
        results=expand(OUT + "/results/{name}", name=UPSTREAM),
        pages=[page for page in PAGES if os.path.isfile(page)],
        settings=["_config.yml", "_toc.yml", "vadlib/report/book.py"],
    output:
        OUT + "/html/index.html",
    shell:
        "{PYTHON} -m vadlib.report.book {OUT}"


rule notebook:
    input:
        source="notebooks/{name}.py",
        profile=PROFILE_FILE,
        library=LIBRARY,
        paper="book/paper_values.yml",
        weights=WEIGHTS_FILE + BUNDLED,
        data=[OUT + "/data/world.json"] if MAKES_WORLD else [],
        upstream=lambda wildcards: [f"{OUT}/results/{name}" for name in UPSTREAM[wildcards.name]],
        recorded=lambda wildcards: RECORDED + SOURCES if wildcards.name in READS_RECORDS else [],
    output:
        notebook=OUT + "/notebooks/{name}.ipynb",
        results=directory(OUT + "/results/{name}"),
    params:
        overrides=[f"{name}={value}" for name, value in sorted(OVERRIDES.items())],
    threads: lambda wildcards: workflow.cores if wildcards.name in COMPUTES else 1
    shell:
        "{PYTHON} -m vadlib.report.notebooks {input.source} {output.notebook} --profile {input.profile}"
        " --results-root {OUT}/results {params.overrides:q}"


rule world:
    input:
        [source for source in LIBRARY if source.startswith("vadlib/synth/")],
    output:
        OUT + "/data/world.json",
    params:
        seed=PARAMETERS.get("world_seed", 0),
    threads: workflow.cores
    shell:
        "rm -rf {OUT}/data && {PYTHON} -m vadlib.cli synth {OUT}/data --seed {params.seed}"
