"""Published networks for COVID-19 lesion segmentation in chest CT, as MONAI bundles.

``covid_monai.train``, ``evaluate``, ``predict`` and ``score`` are what the command line calls.
Importing this package is light: torch and MONAI are loaded when a function first needs them.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from covid_monai.errors import InputError
from covid_monai.lazy import lazy_names

if TYPE_CHECKING:
    from covid_monai.inference.predict import predict
    from covid_monai.run.evaluation import evaluate
    from covid_monai.run.training import train
    from covid_monai.scoring.score import score

__version__ = version("covid-monai")
__all__ = ["InputError", "__version__", "evaluate", "predict", "score", "train"]

__getattr__ = lazy_names(
    __name__,
    {
        "evaluate": "covid_monai.run.evaluation",
        "predict": "covid_monai.inference.predict",
        "score": "covid_monai.scoring.score",
        "train": "covid_monai.run.training",
    },
)
