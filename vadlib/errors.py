"""Every error that vadlib raises on purpose.

Each message names the file, clip or parameter, what was expected, what was found and what to do.
"""


class VadError(Exception):
    """Base class: catch this to catch whatever vadlib has to say about its input."""

    def __str__(self) -> str:
        """The message, in which bytes of a file's name that are no text are written as escapes: it can be printed."""
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class ParameterError(VadError, ValueError):
    """A parameter outside its rule, or more asked for than there is."""


class LayoutError(VadError):
    """A data set's folder that is missing, or not laid out as the data set is."""


class UnreadableError(VadError):
    """A video, image or label file that cannot be read, or ends early."""


class LabelError(VadError):
    """Labels that do not fit the frames they describe."""


class NotFittedError(VadError):
    """A detector or field used before `fit` or `finalize`."""


class WeightsError(VadError):
    """Network weights that cannot be had, do not fit, or lack the part asked for."""


class ResultsError(VadError):
    """A results folder that is missing, incomplete, or from another run than expected."""


class BusyError(VadError):
    """Another run holds what this one needs."""


class FetchError(VadError):
    """A download that failed, or an archive that is damaged, is not the one expected, or would write elsewhere."""
