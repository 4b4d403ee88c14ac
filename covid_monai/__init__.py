"""Published networks for COVID-19 lesion segmentation in chest CT, as MONAI bundles.

Importing this package is light: torch and MONAI are loaded when something first needs them::

    import covid_monai as cm

    run = cm.train("a_segnet", data, output)      # a Run: run.weights, run.log, run.evaluate()
    scores = run.evaluate(subset="test")          # Scores: scores.value("dice"), scores.frame
    model = cm.load(run)                          # a Model: the weights are read once
    done = model.predict("ct.nii.gz")             # a Prediction: done.mask, done.affine, done.save(path)
    cm.score(predictions, references)             # masks of any tool
    cm.reproduce("zhou2020-v1", data, output)     # a paper's table
"""

import os
from importlib.metadata import version

import lazy_loader

# torch looks once, at the first matrix product of a process on a GPU, whether cuBLAS may be used by deterministic ones
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("covid-monai")
