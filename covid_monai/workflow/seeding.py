"""The module that bundles copied out of release 0.1 import ``start_from_seed`` from."""

from covid_monai.handlers.seeding import SeedEpoch, start_from_seed

__all__ = ["SeedEpoch", "start_from_seed"]
