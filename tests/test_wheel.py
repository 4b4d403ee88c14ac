"""A wheel installed outside the checkout works completely, bundles included."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.tiny import SMALL_NETWORK

CHECKOUT = Path(__file__).resolve().parents[1]


def run(*command, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of programs of an environment that has the wheel, and the dependencies of this environment."""
    place = tmp_path_factory.mktemp("wheel")
    tracked = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT).split("\0")
    for name in filter(None, tracked):
        if (CHECKOUT / name).is_file():
            (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (place / "source" / name).write_bytes((CHECKOUT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, place / "source", cwd=place)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "venv", with_pip=False)
    programs = place / "venv" / "bin"
    packages = run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place)
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", packages.strip(), wheel, cwd=place)
    # a plain path, so that the checkout's own editable install is not followed
    (Path(packages.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


@pytest.mark.slow
def test_wheel_trains_evaluates_and_predicts_outside_the_checkout(installed, tiny_dataset, tmp_path):
    command = (installed / "python", "-m", "covid_monai")
    where = run(installed / "python", "-c", "import covid_monai; print(covid_monai.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert run(*command, "bundle", "verify", "a_segnet", cwd=tmp_path)
    settings = [text for key, value in SMALL_NETWORK.items() for text in ("--set", f"{key}={json.dumps(value)}")]
    run(
        *command, "train", "a_segnet", "--data", tiny_dataset, "-o", "run", "--set", "epochs=1", *settings, cwd=tmp_path
    )
    run(*command, "evaluate", "run", cwd=tmp_path)
    run(*command, "report", "run", cwd=tmp_path)
    image = tiny_dataset / "images" / "p0_s0.nii.gz"
    run(*command, "predict", image, "-o", "masks", "--run", "run", "--preview", cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["p0_s0.json", "p0_s0.nii.gz", "previews"]
