"""Handlers of ignite's engines that the bundles name in their YAML: what a run logs, keeps and resumes from."""

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
        "start_from_seed": "covid_monai.handlers.seeding",
        "synchronise_batch_norm": "covid_monai.handlers.distributed",
    },
)
