"""Processes that write a world's parts.

Each worker is a Python process of its own that reads one task a line and answers with one line. Unlike a pool of the
standard library it needs no main guard in the caller's script, works the same in notebooks, tests and commands, never
forks a process that has threads, and ends by itself when the caller is gone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue

import cv2

import vadlib
from synthcampus.clips import write_clip, write_scene
from synthcampus.world import WorldParameters, draw_places, plan_world
from vadlib import errors

Task = tuple[str, int]  # ("scene" or "clip", number)


class Workers:
    """A few workers on one world; a context manager.

    Parameters
    ----------
    work : Path
        The unfinished world's folder.
    parameters : WorldParameters
    n_workers : int
        Processes; 1 works in this process.
    """

    def __init__(self, work: Path, parameters: WorldParameters, n_workers: int):
        self.setup = {"work": str(work), "parameters": parameters.as_dict()}
        self.n_workers = n_workers
        self.processes: list[subprocess.Popen] = []

    def __enter__(self) -> Workers:
        """Start the processes."""
        if self.n_workers == 1:
            self.threads, self.here = cv2.getNumThreads(), _Worker(self.setup)
            cv2.setNumThreads(1)
            return self
        above = str(Path(vadlib.__file__).parents[1])
        path = os.pathsep.join(filter(None, [above, os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-c", "from synthcampus.workers import serve; serve()"]
        for _ in range(self.n_workers):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
            )
            self.processes.append(process)
            self._ask(process, self.setup, wait_for_answer=False)
        return self

    def __exit__(self, *_) -> None:
        """End them, whatever they are doing."""
        if self.n_workers == 1:
            cv2.setNumThreads(self.threads)
        for process in self.processes:
            process.kill()  # idle, or the world is given up
        for process in self.processes:
            process.communicate()

    def run(self, tasks: list[Task]) -> Iterator[tuple[Task, list]]:
        """Do tasks, in any order; yields each with its answer as it is done."""
        if self.n_workers == 1:
            for task in tasks:
                yield task, self.here.do(*task)
            return
        idle: SimpleQueue = SimpleQueue()
        for process in self.processes:
            idle.put(process)

        def one(task: Task):
            process = idle.get()
            answer = self._ask(process, task)
            idle.put(process)
            return task, answer

        with ThreadPoolExecutor(self.n_workers) as pool:
            waiting = {pool.submit(one, task) for task in tasks}
            try:
                while waiting:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            except BaseException:
                for process in self.processes:
                    process.kill()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    @staticmethod
    def _ask(process: subprocess.Popen, message, wait_for_answer: bool = True):
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            line = process.stdout.readline() if wait_for_answer else None
        except BrokenPipeError:
            line = ""
        if line is None:
            return None
        if not line:
            raise errors.UnreadableError(
                f"a process writing the world ended with status {process.wait()} at {message}; "
                "what it said is above. Is there memory and disk left?"
            )
        answer = json.loads(line)
        if "error" in answer:
            kind = getattr(errors, answer["error"], errors.UnreadableError)
            raise kind(answer["message"])
        return answer["done"]


class _Worker:
    """Does tasks of one world."""

    def __init__(self, setup: dict):
        given = setup["parameters"]
        self.work = Path(setup["work"])
        self.parameters = WorldParameters(
            **given | {"clip_seconds": tuple(given["clip_seconds"]), "size": tuple(given["size"])}
        )
        self.places = draw_places(self.parameters)
        self.plans = plan_world(self.parameters, self.places)

    def do(self, kind: str, number: int) -> list:
        if kind == "scene":
            write_scene(self.work, self.places[number], number)
            return []
        plan = self.plans[number]
        return write_clip(self.work, self.parameters, plan, self.places[int(plan.scene) - 1])


def cannot_be_written(folder: Path, error: OSError) -> str:
    """What to say of a world for which there was no room, or no right."""
    return f"{folder}: the world cannot be written there: {error}. Make room, or choose another folder."


def serve() -> None:
    """Read the set-up, then a task a line; answer each on standard output."""
    cv2.setNumThreads(1)
    worker = _Worker(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        try:
            answer = {"done": worker.do(*json.loads(line))}
        except errors.VadError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except OSError as error:
            answer = {"error": "ResultsError", "message": cannot_be_written(worker.work, error)}
        print(json.dumps(answer), flush=True)
