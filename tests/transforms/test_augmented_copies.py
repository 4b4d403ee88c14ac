import numpy as np
import pytest
import torch

from covid_monai.transforms import AugmentedCopyd


def copied(image: torch.Tensor, label: torch.Tensor, turns: int = 0, scaling: float = 1.0, mode: str = "largest_share"):
    transform = AugmentedCopyd(["image", "label"], mode=["bilinear", mode])
    done = transform({"image": image, "label": label, "quarter_turns": turns, "scaling": scaling})
    return done["image"], done["label"]


def displayed(slice_: torch.Tensor) -> np.ndarray:
    """Rows and columns of a screen, for an array whose first axis goes to the patient's left and second to the back."""
    return slice_[0].numpy().T


def centre_of_mass(weights: torch.Tensor) -> torch.Tensor:
    places = torch.nonzero(weights[0]).double()
    return (places * weights[0][weights[0] != 0].double()[:, None]).sum(0) / weights.sum().double()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turn_is_exact_and_clockwise_on_the_screen(turns):
    image, label = torch.randn(1, 7, 7), torch.randint(0, 4, (1, 7, 7)).float()
    turned_image, turned_label = copied(image, label, turns=turns)
    # numpy turns anticlockwise
    np.testing.assert_array_equal(displayed(turned_image), np.rot90(displayed(image), k=-turns))
    np.testing.assert_array_equal(displayed(turned_label), np.rot90(displayed(label), k=-turns))


def test_a_quarter_turn_brings_what_was_on_top_to_the_right():
    image = torch.zeros(1, 5, 5)
    # the middle of the front, which is the upper edge of the screen
    image[0, 2, 0] = 1
    turned, _ = copied(image, image, turns=1)
    assert displayed(turned)[2, 4] == 1


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "largest_share"])
@pytest.mark.parametrize("scaling", [0.5, 1.5])
@pytest.mark.parametrize("size", [64, 65])
def test_scaling_is_about_the_centre_and_image_and_label_stay_together(size, scaling, mode):
    x, y = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = (((x - 0.6 * size) ** 2 + (y - 0.4 * size) ** 2) < (0.12 * size) ** 2).float()[None]
    image, label = copied(disc, disc, scaling=scaling, mode=mode)
    assert image.shape == label.shape == disc.shape
    centre = (size - 1) / 2
    expected = centre + scaling * (centre_of_mass(disc) - centre)
    # an odd canvas cannot hold the smaller slice in its very middle, and "nearest" takes the pixel before
    assert (centre_of_mass(image) - expected).abs().max() < 0.6
    assert (centre_of_mass(label) - centre_of_mass(image)).abs().max() < (0.6 if mode == "nearest" else 0.35)
    assert label.sum().item() == pytest.approx(scaling**2 * disc.sum().item(), rel=0.1)
    assert set(label.unique().tolist()) == {0.0, 1.0}


def test_what_comes_in_around_a_smaller_slice_is_air_and_background():
    image, label = copied(torch.ones(1, 16, 16), torch.full((1, 16, 16), 3.0), scaling=0.5)
    inside = torch.zeros(1, 16, 16)
    inside[:, 4:12, 4:12] = 1
    assert torch.equal(image, inside)
    assert torch.equal(label, 3 * inside)


def test_a_larger_slice_is_cut_to_the_canvas():
    image = torch.zeros(1, 12, 12)
    image[:, 2:10, 2:10] = 1
    larger, _ = copied(image, image, scaling=1.5)
    # the eight middle pixels fill all twelve
    assert larger.shape == (1, 12, 12)
    assert larger.min() > 0


def test_an_entry_that_asks_for_nothing_is_left_alone():
    image, label = torch.randn(1, 6, 6), torch.ones(1, 6, 6)
    same_image, same_label = copied(image, label)
    assert same_image is image
    assert same_label is label


def test_the_entry_itself_is_not_changed():
    image = torch.randn(1, 6, 6)
    entry = {"image": image, "quarter_turns": 1, "scaling": 1.0}
    AugmentedCopyd("image", mode="bilinear")(entry)
    assert entry["image"] is image
