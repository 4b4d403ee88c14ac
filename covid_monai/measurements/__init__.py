"""What a mask says of a patient's lungs: volumes, infected shares, zones, grades, by definitions with a version."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
