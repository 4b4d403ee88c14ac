"""Transforms that MONAI lacks: reading CT in Hounsfield units, normalising slices, and labels to classes."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "AugmentedCopyd": "covid_monai.transforms.slices",
        "HounsfieldReader": "covid_monai.transforms.reader",
        "LabelsToClassesd": "covid_monai.transforms.labels",
        "NormalizeSlicesd": "covid_monai.transforms.slices",
    },
)
