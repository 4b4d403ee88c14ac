"""What this machine makes of the networks and of a whole study: speed, share of what it reaches, memory."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
