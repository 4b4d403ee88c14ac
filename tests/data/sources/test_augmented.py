import pytest
import torch
from monai.transforms import Compose

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, read_config
from covid_monai.data import BatchDataset, augmented_copies
from covid_monai.errors import InputError
from covid_monai.handlers import PrepareBatchAugmented
from covid_monai.transforms import AugmentedCopyd, BatchRandGaussianNoised

CASES = [{"case": f"p{number}", "image": torch.full((1, 8, 8), float(number))} for number in range(3)]
BUNDLES_WITH_COPIES = ("residual_attention_unet", "unet")


class CountedCopyd(AugmentedCopyd):
    calls = 0

    def __call__(self, data):
        self.calls += 1
        return super().__call__(data)


def test_a_hundred_slices_become_the_papers_six_hundred():
    cases = [{"case": f"p1_s{number}"} for number in range(100)]
    copies = augmented_copies(cases, [1, 2, 3], [0.5, 1.5])
    assert len(copies) == 600
    assert len({copy["case"] for copy in copies}) == 600
    for turns, scaling in ((0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (0, 0.5), (0, 1.5)):
        alike = [copy for copy in copies if (copy["quarter_turns"], copy["scaling"]) == (turns, scaling)]
        assert len(alike) == 100


def test_a_copy_says_what_it_is_and_keeps_all_else():
    names = [copy["case"] for copy in augmented_copies(CASES[:1], [1, 3], [0.5, 1.5])]
    assert names == ["p0", "p0 turned 90", "p0 turned 270", "p0 scaled 0.5", "p0 scaled 1.5"]
    assert all(copy["image"] is CASES[0]["image"] for copy in augmented_copies(CASES[:1], [1], [0.5]))
    assert "quarter_turns" not in CASES[0]


def test_without_turns_and_scalings_every_case_is_there_once_as_it_is():
    copies = augmented_copies(CASES, [], [])
    assert [copy["case"] for copy in copies] == ["p0", "p1", "p2"]
    assert {(copy["quarter_turns"], copy["scaling"]) for copy in copies} == {(0, 1.0)}


@pytest.mark.parametrize(
    ("turns", "scalings", "message"),
    [
        ([0], [], r"quarter turns are \[0\]; each can be 1, 2 or 3"),
        ([1, 90], [], r"quarter turns are \[1, 90\]"),
        ([], [0], r"scalings are \[0\]; each must be over 0"),
        ([], [-0.5], r"scalings are \[-0.5\]"),
        ([], [float("nan")], r"scalings are \[nan\]"),
    ],
)
def test_impossible_turns_and_scalings_are_refused(turns, scalings, message):
    with pytest.raises(InputError, match=message):
        augmented_copies(CASES, turns, scalings)


def test_copies_are_made_once_and_each_has_random_transforms_of_its_own():
    copy = CountedCopyd("image", mode="bilinear")
    cases = [{**case, "label": torch.zeros(1, 8, 8)} for case in CASES]
    dataset = BatchDataset(augmented_copies(cases, [1, 2, 3], [0.5]), Compose([copy]), seed=0)
    assert copy.calls == len(dataset) == 15
    prepare = PrepareBatchAugmented([BatchRandGaussianNoised("image", prob=1.0, std=0.1)])
    # of the first case as it is and turned, which without noise would all be zeros
    noise = [
        drawn - CASES[0]["image"]
        for epoch in (1, 2)
        for drawn in prepare(dataset.__getitems__([(epoch, position) for position in range(4)]), torch.device("cpu"))[0]
    ]
    assert copy.calls == 15
    for drawn in noise:
        assert sum(torch.equal(drawn, other) for other in noise) == 1


@pytest.mark.parametrize("name", BUNDLES_WITH_COPIES)
def test_a_bundle_trains_on_copies_and_validates_without_any(name, tiny_dataset):
    settings = {"dataset_dir": str(tiny_dataset), "image_size": [32, 32]}
    workflow = build_workflow(bundle_folder(name), "train", settings)
    training = workflow.parser.get_parsed_content("train#dataset")
    validation = workflow.parser.get_parsed_content("validate#dataset")
    split = workflow.parser.get_parsed_content("train#dataset#data#cases")
    assert len(training) == 6 * len(split)
    assert {case["case"] for case in split} <= {case["case"] for case in training.data}
    assert not any(set(case) & {"quarter_turns", "scaling"} for case in validation.data)
    assert not any("turned" in case["case"] or "scaled" in case["case"] for case in validation.data)
    assert not {case["case"] for case in validation.data} & {case["case"] for case in training.data}


@pytest.mark.parametrize("name", BUNDLES_WITH_COPIES)
def test_copies_are_no_part_of_what_validates_evaluates_or_predicts(name):
    folder = bundle_folder(name)
    training, evaluation = read_config(folder, "train"), read_config(folder, "evaluate")
    assert "AugmentedCopyd" in str(training["copy_transforms"])
    elsewhere = [training["validate"], training["deterministic_transforms"], training["slice_transforms"]]
    elsewhere += [evaluation["preprocessing"], evaluation["dataset"], read_config(folder, "inference")]
    for part in map(str, elsewhere):
        assert "AugmentedCopyd" not in part
        assert "augmented_copies" not in part
        assert "random_transforms" not in part
