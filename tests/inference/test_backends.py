"""What computes a network: each back end against torch in float32, and what becomes of one that cannot be used."""

import json
import shutil
from importlib.metadata import version

import nibabel
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import covid_monai as cm
from covid_monai.cli.root import root
from covid_monai.errors import InputError, InputWarning
from covid_monai.files import read_json
from covid_monai.inference.mask_record import Backend

PROBABILITY = {"float32": 1e-3, "bfloat16": 0.2}
"""The largest difference from torch's float32 that is allowed in the probability of lesion of a network that has
learned little; tests/inference/test_quantised.py holds the shipped one to closer bounds."""
DICE = {"float32": 0.999, "bfloat16": 0.97}


@pytest.fixture(scope="module")
def ct(tiny_dataset):
    """Three slices as a volume."""
    slices = [nibabel.load(tiny_dataset / "images" / f"p0_s{index}.nii.gz") for index in range(3)]
    return np.concatenate([each.get_fdata() for each in slices], axis=2), slices[0].affine


def dice(first, second):
    first, second = first > 0, second > 0
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_agrees_with_torch_in_float32(precision, tiny_run, ct, installed):
    try:
        model = cm.load(tiny_run, backend="openvino", precision=precision)
    except InputError as error:
        if precision == "bfloat16" and "on this processor" in str(error):
            pytest.skip(str(error))
        raise
    assert model.backend == Backend("openvino", version("openvino"), precision)
    found, expected = (
        model.predict(ct, probability=True),
        cm.load(tiny_run, device="cpu", backend="torch", precision="float32").predict(ct, probability=True),
    )
    difference = np.abs(found.probability - expected.probability)
    # it has computed, and torch has not
    assert difference.max() > 0
    assert difference.max() <= PROBABILITY[precision]
    assert dice(found.mask, expected.mask) >= DICE[precision]


def test_auto_falls_back_to_torch_with_a_warning_and_openvino_is_one_error(tiny_run, pretended):
    pretended(reason="the process was ended by SIGFPE", place="/cache/trial.json")
    with pytest.warns(InputWarning, match="SIGFPE.*torch computes the network"):
        model = cm.load(tiny_run, device="cpu")
    assert model.backend.name == "torch"
    with pytest.raises(InputError, match=r"SIGFPE; remove /cache/trial.json to try again"):
        cm.load(tiny_run, backend="openvino")


def test_auto_stays_with_torch_where_that_is_faster(tiny_run, pretended, recwarn):
    pretended(reason=None, openvino=2.0, torch=1.0, place="/cache/trial.json")
    assert cm.load(tiny_run, device="cpu").backend.name == "torch"
    assert not [each for each in recwarn if each.category is InputWarning]


def test_auto_takes_openvino_where_that_is_faster(tiny_run, pretended):
    pytest.importorskip("openvino")
    pretended(reason=None, openvino=1.0, torch=2.0, place="/cache/trial.json")
    model = cm.load(tiny_run, device="cpu", precision="float32")
    assert model.backend == Backend("openvino", "2026.0.0", "float32")


def test_without_openvino_auto_is_torch_and_asking_for_it_says_what_to_install(tiny_run):
    model = cm.load(tiny_run, device="cpu")
    assert (model.backend.name, model.backend.version) == ("torch", torch.__version__)
    with pytest.raises(InputError, match=r'pip install "covid-monai\[openvino\]"'):
        cm.load(tiny_run, backend="openvino")


@pytest.mark.parametrize("options", [{"backend": "onnx"}, {"precision": "float16"}])
def test_unknown_back_ends_and_precisions_are_refused(options, tiny_run):
    with pytest.raises(InputError, match="it can be one of"):
        cm.load(tiny_run, **options)


def test_int8_is_refused_for_torch_and_for_weights_that_bring_no_such_network(tiny_run):
    with pytest.raises(InputError, match="OpenVINO alone computes; give `backend` openvino"):
        cm.load(tiny_run, backend="torch", precision="int8")
    with pytest.raises(InputError, match=r"no network in int8 beside them.*give `precision` float32 or bfloat16"):
        cm.load(tiny_run, precision="int8")


def test_precision_is_that_asked_for_and_stands_in_the_record(tiny_run, ct, tmp_path):
    model = cm.load(tiny_run, device="cpu", precision="float32", settings={"precision": "bfloat16"})
    mask = model.predict(ct).save(tmp_path / "mask.nii.gz")
    record = read_json(mask.with_name("mask.json"))
    assert record["backend"] == {"name": "torch", "version": torch.__version__, "precision": "float32"}
    assert "precision" not in record["settings"]


def test_a_mask_made_in_another_precision_is_made_otherwise(tiny_run, tiny_dataset, tmp_path):
    image, out = tiny_dataset / "images" / "p0_s0.nii.gz", tmp_path / "masks"

    def predict(*options):
        command = ["predict", str(image), "-o", str(out), "--run", str(tiny_run), "--device", "cpu", *options]
        return CliRunner().invoke(root, command)

    assert predict("--precision", "float32").exit_code == 0
    assert "kept" in predict("--precision", "float32", "--backend", "torch").output
    other = predict("--precision", "bfloat16")
    assert other.exit_code == 1
    assert "made otherwise" in other.output
    # a record of a release that had torch alone
    record = read_json(out / "p0_s0.json")
    del record["backend"]
    (out / "p0_s0.json").write_text(json.dumps(record))
    assert "kept" in predict("--precision", "bfloat16").output
    shutil.rmtree(out)


def test_a_record_of_another_back_end_is_told_from_ones_own():
    torchs, openvinos = Backend("torch", "2.13", "float32"), Backend("openvino", "2026.4", "float32")
    of_torch = {"backend": {"name": "torch", "version": "2.10", "precision": "float32"}}
    assert torchs.made(of_torch)
    assert not openvinos.made(of_torch)
    assert torchs.made({})
    assert not openvinos.made({})


def test_a_refusal_says_which_back_end_made_what_is_there():
    ours = Backend("openvino", "2026.4.1", "float32")
    assert ours.unlike({"backend": {"name": "openvino", "version": "2025.2", "precision": "float32"}}) == ""
    told = ours.unlike({"backend": {"name": "torch", "version": "2.13.0", "precision": "bfloat16"}})
    assert "computed by torch in bfloat16, now it would be openvino in float32" in told
