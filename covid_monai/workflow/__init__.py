"""Bundle and overrides in, MONAI workflow and run folder out."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "EpochLog": "covid_monai.workflow.log",
        "EpochState": "covid_monai.workflow.state",
        "CaseScores": "covid_monai.workflow.cases",
        "CountedImages": "covid_monai.workflow.shares",
        "KeepWeights": "covid_monai.workflow.kept_weights",
        "MeanOverProcesses": "covid_monai.workflow.shares",
        "Progress": "covid_monai.workflow.log",
        "SeedEpoch": "covid_monai.workflow.seeding",
        "evaluate": "covid_monai.workflow.evaluation",
        "load_weights": "covid_monai.workflow.weights",
        "start_from_seed": "covid_monai.workflow.seeding",
        "synchronise_batch_norm": "covid_monai.workflow.batch_norm",
        "train": "covid_monai.workflow.training",
    },
)
