"""Transforms that MONAI lacks: reading CT in Hounsfield units, and labels to classes."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "HounsfieldReader": "covid_monai.transforms.reader",
        "LabelsToClassesd": "covid_monai.transforms.classes",
    },
)
