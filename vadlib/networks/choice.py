"""Networks by name."""

from vadlib.errors import ParameterError
from vadlib.networks.clip import clip_vision
from vadlib.networks.efficientnet import efficientnet_lite0
from vadlib.networks.features import FeatureNetwork
from vadlib.networks.resnet import resnet18

ARCHITECTURES = {build.__name__: build for build in (resnet18, efficientnet_lite0, clip_vision)}


def open_network(name: str, *, seed: int = 0) -> FeatureNetwork:
    """Build the network called ``ARCHITECTURE:WEIGHTS``.

    Parameters
    ----------
    name : str
        Such as ``resnet18:imagenet``; weights are what the architecture's constructor takes, a file among them.
    seed : int
        Of random weights.

    Raises
    ------
    ParameterError
        The name is not of this form, or there is no such architecture.
    WeightsError
        The weights cannot be had.
    """
    architecture, _, weights = name.partition(":")
    if not weights or architecture not in ARCHITECTURES:
        raise ParameterError(
            f"network: expected ARCHITECTURE:WEIGHTS, as resnet18:bundled, found {name!r}; architectures: "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[architecture](weights, seed=seed)
