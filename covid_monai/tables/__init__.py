"""The papers' tables as YAML files, and the runs that reproduce them: row by row, fold by fold, seed by seed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
