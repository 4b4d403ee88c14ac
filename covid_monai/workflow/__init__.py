"""The names that bundles copied out of release 0.1 use; new bundles name ``handlers``, ``run`` and ``weights``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    "covid_monai",
    submodules=(),
    submod_attrs={
        "handlers": [
            "CaseScores",
            "CountedImages",
            "EpochLog",
            "EpochState",
            "KeepWeights",
            "MeanOverProcesses",
            "Progress",
            "SeedEpoch",
            "start_from_seed",
            "synchronise_batch_norm",
        ],
        "run.evaluation": ["evaluate"],
        "run.training": ["train"],
        "weights": ["load_weights"],
    },
)
