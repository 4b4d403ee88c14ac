"""From a CT volume to a mask on its grid."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "AutocastInferer": "covid_monai.inference.autocast",
        "SaveMasks": "covid_monai.inference.masks",
    },
)
