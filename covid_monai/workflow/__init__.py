"""The names that bundles copied out of release 0.1 use; new bundles name ``handlers``, ``run`` and ``weights``."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "CaseScores": "covid_monai.handlers.case_scores",
        "CountedImages": "covid_monai.handlers.distributed",
        "EpochLog": "covid_monai.handlers.log",
        "EpochState": "covid_monai.handlers.state",
        "KeepWeights": "covid_monai.handlers.checkpoint",
        "MeanOverProcesses": "covid_monai.handlers.distributed",
        "Progress": "covid_monai.handlers.log",
        "SeedEpoch": "covid_monai.handlers.seeding",
        "evaluate": "covid_monai.run.evaluation",
        "load_weights": "covid_monai.weights",
        "start_from_seed": "covid_monai.handlers.seeding",
        "synchronise_batch_norm": "covid_monai.handlers.distributed",
        "train": "covid_monai.run.training",
    },
)
