"""Hounsfield units that a chest CT can have."""

import numpy as np
import numpy.typing as npt

from covid_monai.data.checks.findings import Finding, error
from covid_monai.data.manifest import Case
from covid_monai.transforms.intensity import looks_8_bit

LOWEST_HU, HIGHEST_HU = -4096.0, 32767.0
"""What scanners store: padding lies below air, metal above bone."""

# lung and air lie below, soft tissue above
_AIR_BELOW = -500.0
_TISSUE_ABOVE = -200.0
_LEAST_SHARE = 0.005


def check_intensities(case: Case, values: npt.NDArray) -> list[Finding]:
    """Check the values of one image, finite: one finding at most, the plainest."""
    lowest, highest = float(values.min()), float(values.max())
    spread = f"values {lowest:g} to {highest:g}"
    if lowest == highest:
        problem = f"all values are {lowest:g}: the image is empty"
    elif lowest < LOWEST_HU or highest > HIGHEST_HU:
        problem = f"{spread}: HU lie between {LOWEST_HU:g} and {HIGHEST_HU:g}"
    elif looks_8_bit(values):
        problem = f"{spread}: these are 8-bit grey values, not HU"
    elif np.mean(values < _AIR_BELOW) < _LEAST_SHARE:
        problem = f"{spread}: no lung or air (below {_AIR_BELOW:g} HU), so this is no chest slice in HU"
    elif np.mean(values > _TISSUE_ABOVE) < _LEAST_SHARE:
        problem = f"{spread}: nothing but air (no {_LEAST_SHARE:.1%} above {_TISSUE_ABOVE:g} HU)"
    else:
        return []
    return [error("intensity", problem, case.case)]
