"""What else a score follows: how much of it the scene or the light explains, where nothing is anomalous."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from vadlib.errors import ParameterError


def share_explained(values, groups) -> float:
    """Share of the values' variance that lies between groups (the correlation ratio, squared), 0 to 1.

    `values` are (n,), and `groups`, such as the scene of each frame, too. 0 where all groups have one mean, 1 where
    knowing the group is knowing the value, 0 for constant values.
    """
    values, codes = np.asarray(values, dtype=np.float64), pd.factorize(np.asarray(groups))[0]
    if not len(values):
        raise ParameterError("values: expected at least one, found none")
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=values) / counts
    total = ((values - values.mean()) ** 2).sum()
    return float((counts * (means - values.mean()) ** 2).sum() / total) if total > 0 else 0.0


def rank_correlation_within(values, factor, groups) -> float:
    """Spearman correlation of two quantities after each group's mean has been taken from both.

    `values` and `factor`, such as scores and the frames' brightness, are (n,), n at least three, and `groups`, such as
    the scene of each frame, too. -1 to 1; 0 where either is constant within every group.
    """
    if len(values) < 3:
        raise ParameterError(f"values: expected at least three for a correlation, found {len(values)}")
    table = pd.DataFrame({"values": np.asarray(values, np.float64), "factor": np.asarray(factor, np.float64)})
    within = table - table.groupby(np.asarray(groups)).transform("mean")
    within = within.mask(within.abs() < 1e-12 * table.abs().max(), 0.0)  # what rounding leaves of a constant
    if within["values"].nunique() < 2 or within["factor"].nunique() < 2:
        return 0.0
    return float(spearmanr(within["values"], within["factor"]).statistic)
