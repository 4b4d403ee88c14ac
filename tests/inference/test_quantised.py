"""The shipped model in int8: with which weights and settings it is taken, and how near it is to float32."""

import json
from importlib.metadata import version

import nibabel
import numpy as np
import pytest
import torch

import covid_monai as cm
from covid_monai.catalog.bundles import bundle_folder
from covid_monai.errors import InputError, InputWarning
from covid_monai.files import read_json
from covid_monai.inference.backends import use_backend
from covid_monai.inference.mask_record import Backend
from covid_monai.inference.quantised import NETWORK_FILE, RECORD_FILE, find_quantised
from covid_monai.lungs import box_to_crop
from covid_monai.run import trained
from covid_monai.run.copy import copy_bundle
from covid_monai.run.trained import find_trained
from tests.lungs.phantom import draw_chest

SHIPPED = bundle_folder("covid_lesion")

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "models" / RECORD_FILE).is_file(), reason="this checkout has no shipped model in int8"
)

WAYS = [
    ("torch", "bfloat16"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "int8"),
]
PROBABILITY = {"float32": 0.001, "bfloat16": 0.08, "int8": 0.9}
"""The largest difference from torch's float32 that is allowed in the probability of lesion; docs/performance.md."""
MEAN_PROBABILITY = {"float32": 1e-6, "bfloat16": 3e-4, "int8": 3e-3}
DICE = {"float32": 0.9995, "bfloat16": 0.995, "int8": 0.98}


def dice(first, second):
    first, second = first > 0, second > 0
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def quantised(run="shipped", *, settings=None, mirrored=False):
    return find_quantised([find_trained(run, settings=settings, trust=True)], settings or {}, mirrored=mirrored)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The models folder of a copy that stands for the package's bundle."""
    bundle = copy_bundle("covid_lesion", tmp_path / "bundle")
    monkeypatch.setattr(trained, "shipped_weights", lambda: bundle / "models")
    return bundle / "models"


def test_it_is_small_and_was_made_from_the_shipped_weights():
    files = [SHIPPED / "models" / NETWORK_FILE, (SHIPPED / "models" / NETWORK_FILE).with_suffix(".bin")]
    assert sum(file.stat().st_size for file in files) < 8e6
    assert quantised().file == files[0]
    assert read_json(SHIPPED / "models" / RECORD_FILE)["terms"] == find_trained("shipped").terms
    assert NETWORK_FILE in (SHIPPED / "models" / "LICENSE").read_text()


def test_a_copy_of_the_bundle_has_it_too(tmp_path):
    bundle = copy_bundle("covid_lesion", tmp_path / "bundle")
    with pytest.warns(InputWarning, match=r"has no run\.json"):
        assert quantised(bundle).file == bundle / "models" / NETWORK_FILE


@pytest.mark.parametrize("file", [NETWORK_FILE, NETWORK_FILE.replace(".xml", ".bin")])
@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_one_that_was_exchanged_is_refused(file, damage, copied):
    content = bytearray((copied / file).read_bytes())
    (copied / file).unlink()
    if damage == "changed":
        content[-10] ^= 1
        (copied / file).write_bytes(content)
    with pytest.raises(InputError, match=r"is not what model_int8\.json notes: copy them again, or give `precision`"):
        cm.load(precision="int8")


@pytest.mark.parametrize("content", ["[]", "{}", '{"weights_sha256": "", "settings": {"image_size": 192}}'])
def test_a_damaged_record_of_it_is_refused(content, copied):
    (copied / RECORD_FILE).write_text(content)
    with pytest.raises(InputError, match=r"model_int8\.json is damaged"):
        cm.load(precision="int8")


def test_one_of_other_weights_is_refused(copied):
    record = read_json(copied / RECORD_FILE)
    (copied / RECORD_FILE).write_text(json.dumps({**record, "weights_sha256": "0" * 64}))
    with pytest.raises(InputError, match=r"was made from other weights than .*; give `precision` float32 or bfloat16"):
        cm.load(precision="int8")


def test_weights_without_one_are_told_what_to_do(copied):
    (copied / RECORD_FILE).unlink()
    with pytest.raises(InputError, match="have no network in int8 beside them"):
        cm.load(precision="int8")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"image_size": [256, 256]}, "image_size"),
        ({"negative_slope": 0.2}, "negative_slope"),
        ({"network_def#head_enlargement": "nearest"}, "network_def#head_enlargement"),
    ],
)
def test_with_other_settings_of_the_network_it_is_refused(settings, named):
    with pytest.raises(InputError, match=f"was made with other {named} than are asked for"):
        quantised(settings=settings)


def test_settings_of_the_same_value_and_of_the_reader_are_taken():
    assert quantised(settings={"image_size": (192, 192), "threshold": 0.4, "crop": "none"}) == quantised()


def test_logits_that_are_averaged_are_refused(tiny_run):
    with pytest.raises(InputError, match="int8 is of one network; logits that are averaged"):
        cm.load(precision="int8", mirrored=True)
    run = find_trained(tiny_run)
    with pytest.raises(InputError, match="int8 is of one network"):
        find_quantised([run, run], {}, mirrored=False)


def test_other_sizes_of_window_are_refused(installed):
    with pytest.raises(InputError, match=r"in int8 it takes 192 x 192 pixels, not 96 x 96; leave out `roi_size`"):
        cm.load(precision="int8", roi_size=(96, 96))


def test_a_gpu_is_refused(installed):
    segmenter = cm.load(device="cpu", backend="torch")._segmenter
    segmenter.device = torch.device("cuda:0")
    with pytest.raises(InputError, match="it computes on the processor, not on cuda:0; give `device` cpu"):
        use_backend(segmenter, "auto", channels=1, quantised=quantised())


def test_without_openvino_it_is_an_error_for_auto_too():
    with pytest.raises(InputError, match=r'pip install "covid-monai\[openvino\]"'):
        cm.load(precision="int8")


def test_one_that_fails_in_the_trial_is_an_error_for_auto_too(pretended):
    pretended(reason="the process was ended by SIGFPE", place="/cache/trial.json")
    with pytest.raises(InputError, match=r"SIGFPE; remove /cache/trial.json to try again"):
        cm.load(precision="int8")


def test_auto_takes_it_only_where_it_is_asked_for(pretended):
    pytest.importorskip("openvino")
    pretended(reason=None, openvino=1.0, torch=2.0, place="/cache/trial.json")
    assert cm.load(device="cpu").backend.precision in ("float32", "bfloat16")
    # torch was faster, and cannot compute it
    pretended(reason=None, openvino=2.0, torch=1.0, place="/cache/trial.json")
    assert cm.load(precision="int8").backend == Backend("openvino", "2026.0.0", "int8")


def test_it_is_tried_computes_and_stands_in_the_record(installed, cache, tmp_path):
    drawn = draw_chest()
    model = cm.load(precision="int8")
    assert model.backend == Backend("openvino", version("openvino"), "int8")
    assert {file.suffix for file in cache.iterdir()} == {".json", ".blob"}
    reference = cm.load(device="cpu", backend="torch", precision="float32")
    found, expected = (each.predict((drawn.hu, drawn.affine), probability=True) for each in (model, reference))
    difference = np.abs(found.probability - expected.probability)
    assert difference.max() > 0
    assert difference.mean() < 5e-3
    record = read_json(found.save(tmp_path / "mask.nii.gz").with_name("mask.json"))
    assert record["backend"]["precision"] == "int8"
    assert "precision" not in record["settings"]


def every_eighth_slice(folder):
    """Of a volume within the box around its lungs, where the network sees them as it sees those of the volume."""
    image = nibabel.load(folder / "ct.nii.gz")
    values = np.asarray(image.dataobj, dtype=np.float32)
    return values[box_to_crop(values, image.affine, folder.name)][..., ::8], image.affine


@pytest.mark.slow
def test_each_back_end_agrees_with_torch_in_float32_on_real_slices(shared_data, installed):
    options = {"device": "cpu", "settings": {"crop": "none"}}
    volumes = [every_eighth_slice(shared_data / name) for name in ("coronacases_001", "coronacases_003")]
    reference = cm.load(backend="torch", precision="float32", **options)
    expected = [reference.predict(volume, probability=True) for volume in volumes]
    for backend, precision in WAYS:
        try:
            model = cm.load(backend=backend, precision=precision, **options)
        except InputError as error:
            if precision == "bfloat16" and "on this processor" in str(error):
                continue
            raise
        for volume, torchs in zip(volumes, expected, strict=True):
            assert np.count_nonzero(torchs.mask) > 1000
            found = model.predict(volume, probability=True)
            difference, overlap = np.abs(found.probability - torchs.probability), dice(found.mask, torchs.mask)
            print(f"{backend} {precision}: {difference.max():.2g} {difference.mean():.2g} {overlap:.5f}")
            assert difference.max() <= PROBABILITY[precision]
            assert difference.mean() <= MEAN_PROBABILITY[precision]
            assert overlap >= DICE[precision]
