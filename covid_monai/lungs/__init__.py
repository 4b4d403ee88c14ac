"""The lungs of a chest CT: left and right apart, dense lesions in, airways out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
