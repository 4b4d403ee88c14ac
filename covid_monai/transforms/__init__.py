"""Transforms that MONAI lacks: reading CT in Hounsfield units, normalising slices, resizing labels, and labels to
classes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
