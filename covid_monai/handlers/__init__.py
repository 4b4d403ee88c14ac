"""Handlers of ignite's engines that the bundles name in their YAML: what a run logs, keeps and resumes from."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
