"""A patient's CT as it comes from a scanner or another tool: found, judged, and read in HU with its place in space.

DICOM (folders, archives, DICOMDIR), NIfTI, NRRD and MetaImage. ``find_studies`` lists what is there and which series is
taken; ``read_study`` reads it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
