import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.transforms import NormalizeSlicesd


def normalised(image: torch.Tensor) -> torch.Tensor:
    return NormalizeSlicesd("image")({"image": image})["image"]


def test_a_slice_alone_is_as_in_its_volume():
    torch.manual_seed(0)
    volume = torch.rand(1, 9, 8, 4) * torch.tensor([1.0, 5.0, 0.1, 20.0])
    together = normalised(volume)
    for index in range(4):
        torch.testing.assert_close(together[..., index : index + 1], normalised(volume[..., index : index + 1]))


def test_every_slice_and_channel_has_numpys_mean_0_and_deviation_1():
    torch.manual_seed(0)
    image = 3 + 2 * torch.rand(2, 9, 8, 3)
    array = image.double().numpy()
    expected = (array - array.mean(axis=(1, 2), keepdims=True)) / array.std(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(normalised(image).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.25, -1024.0])
def test_a_slice_of_one_value_becomes_zeros_and_its_neighbour_is_as_ever(value):
    image = torch.rand(1, 6, 6, 2)
    image[..., 0] = value
    done = normalised(image)
    assert torch.equal(done[..., 0], torch.zeros(1, 6, 6))
    torch.testing.assert_close(done[..., 1:], normalised(image[..., 1:]))


def test_affine_and_history_stay():
    affine = torch.diag(torch.tensor([2.0, 2.0, 5.0, 1.0], dtype=torch.float64))
    done = normalised(MetaTensor(torch.rand(1, 4, 4, 2), affine=affine))
    assert isinstance(done, MetaTensor)
    assert torch.equal(done.affine, affine)
    assert done.applied_operations == []


def test_what_it_was_given_is_not_changed():
    image = torch.rand(1, 4, 4, 1)
    before = image.clone()
    normalised(image)
    assert torch.equal(image, before)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PSR"])
def test_the_bundles_chain_with_it_in_is_inverted_to_the_images_grid(axes, tmp_path):
    rng = np.random.default_rng(0)
    lps = nibabel.Nifti1Image(rng.integers(-1000, 600, (24, 20, 3)).astype(np.int16), np.diag([-2.0, -2.0, 5.0, 1.0]))
    target = nibabel.orientations.axcodes2ornt(axes)
    stored = lps.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(lps.affine), target))
    nibabel.save(stored, tmp_path / "image.nii.gz")
    settings = {"dataset_dir": str(tmp_path), "image_size": [24, 20]}
    parser = build_workflow(bundle_folder("au_net"), "inference", settings).parser
    chain = parser.get_parsed_content("preprocessing")
    assert isinstance(chain.transforms[-1], NormalizeSlicesd)
    done = chain({"image": str(tmp_path / "image.nii.gz")})
    assert done["image"].mean(dim=(1, 2)).abs().max() < 1e-5
    invert = parser.get_parsed_content("postprocessing").transforms[1]
    back = invert({**done, "pred": MetaTensor(done["image"].as_tensor().clone())})["pred"]
    # the resizing keeps the size here, so the values come back to the pixel; the normalisation stays
    scaled = (np.clip(stored.get_fdata(), -1024, 600) + 1024) / 1624
    axis = axes.index("S")
    mean, deviation = (getattr(scaled, name)(axis=tuple({0, 1, 2} - {axis}), keepdims=True) for name in ("mean", "std"))
    np.testing.assert_allclose(back[0].numpy(), (scaled - mean) / deviation, atol=1e-4)
    np.testing.assert_allclose(back.affine.numpy(), stored.affine, atol=1e-5)
