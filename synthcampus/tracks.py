"""Where each actor is in each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthcampus.figures import Solids
from synthcampus.people import POSES, Look, person
from synthcampus.vehicles import BODY_RADIUS, VEHICLES

ACTIONS = tuple(POSES)
NO_EVENT = -1


@dataclass
class Track:
    """One actor from its first frame on; arrays have one entry a frame."""

    look: Look  # the person, or who rides or drives
    kind: str  # "person" or a key of `vehicles.VEHICLES`
    start: int  # frame of the first position; may be negative
    x: np.ndarray  # metres
    y: np.ndarray
    heading: np.ndarray  # radians
    phase: np.ndarray  # of gait or wheels
    action: np.ndarray  # int8, index into `ACTIONS` (ignored for vehicles)
    event: np.ndarray  # int16, number of the event the actor takes part in, or `NO_EVENT`
    style: float = 1.0  # the pose's own parameter
    colour: tuple = (120, 120, 120)  # vehicle paint, BGR

    @property
    def radius(self) -> float:
        """Metres that others keep from the actor's middle."""
        return BODY_RADIUS.get(self.kind, 0.35)

    def index(self, frame: int) -> int | None:
        """Position in the arrays at `frame`, or None when the actor is not there."""
        i = frame - self.start
        return i if 0 <= i < len(self.x) else None

    def figure(self, i: int) -> Solids:
        """The actor's solids in the world at array position `i`."""
        if self.kind == "person":
            made = person(self.look, ACTIONS[self.action[i]], float(self.phase[i]), self.style)
        else:
            made = VEHICLES[self.kind](self.look, self.colour, float(self.phase[i]))
        return made.place(float(self.x[i]), float(self.y[i]), float(self.heading[i]))
