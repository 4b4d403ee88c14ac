"""Transforms that MONAI lacks: reading CT in Hounsfield units."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(__name__, {"HounsfieldReader": "covid_monai.transforms.reader"})
