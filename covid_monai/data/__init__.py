"""Prepared data sets, their splits, and what training reads of them."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "EpochDataset": "covid_monai.data.epochs",
        "EpochSampler": "covid_monai.data.epochs",
        "augmented_copies": "covid_monai.data.sources.augmented",
        "datalist": "covid_monai.data.splits",
        "read_dataset": "covid_monai.data.manifest",
        "read_split": "covid_monai.data.splits",
    },
)
