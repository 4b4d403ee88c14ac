"""The names that the package offers to users."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import covid_monai

STUBS = sorted(Path(covid_monai.__file__).parent.rglob("*.pyi"))


def test_importing_the_package_loads_neither_torch_nor_monai():
    script = "import sys, covid_monai; print(sorted({'torch', 'monai', 'pandas', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_readme_uses_is_there_and_completes():
    assert {"train", "load", "score", "reproduce", "networks", "losses", "Run", "Scores", "Model"} <= set(
        dir(covid_monai)
    )
    assert covid_monai.networks.AUNet.__name__ == "AUNet"
    assert covid_monai.losses.FocalTverskyLoss.__name__ == "FocalTverskyLoss"


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.parent.name)
def test_every_name_of_a_stub_is_importable(stub):
    package = ".".join(stub.parent.relative_to(Path(covid_monai.__file__).parents[1]).parts)
    imports = [node for node in ast.parse(stub.read_text()).body if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in imports for alias in node.names]
    assert names
    module = sys.modules.get(package) or __import__(package, fromlist=["*"])
    for name in names:
        assert getattr(module, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="trian"):
        covid_monai.trian  # noqa: B018
