"""The commands tell of odd files as the functions do: an answer, warnings on stderr, or one line and exit status 1."""

import shutil
from pathlib import Path

from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_monai.cli import root
from tests.properties.answers import check_clear_line
from tests.properties.draft import OddFile, Verdict
from tests.properties.nifti_headers import odd_files
from tests.properties.test_score import CLASSES, write_plain
from tests.properties.worlds import chest, labels

FILES = 8
"""That one call of `predict` is given."""


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(root, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def test_predict_names_what_it_refuses_and_goes_on(examples: settings, tiny_run: Path, tmp_path: Path) -> None:
    world = chest()

    @settings(examples, max_examples=examples.max_examples // 50)
    @given(st.lists(odd_files(world), min_size=FILES, max_size=FILES))
    def check(drawn: list[OddFile]) -> None:
        for name in ("in", "out"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        (tmp_path / "in").mkdir()
        files = [tmp_path / "in" / f"ct{number}{odd.ending}" for number, odd in enumerate(drawn)]
        for file, odd in zip(files, drawn, strict=True):
            file.write_bytes(odd.content)
        result = run("predict", tmp_path / "in", "-o", tmp_path / "out", "--run", tiny_run, "--device", "cpu")
        masks = {mask.name.split(".")[0] for mask in (tmp_path / "out").glob("*.nii.gz")}
        for number, (file, odd) in enumerate(zip(files, drawn, strict=True)):
            failed = [line for line in result.output.splitlines() if "failed: " in line and file.name in line]
            warned = [line for line in result.output.splitlines() if "warning: " in line and file.name in line]
            taken = f"ct{number}" in masks
            assert len(failed) == (not taken), odd
            assert odd.refused != (Verdict.MUST if taken else Verdict.NO), odd
            assert warned or not taken or odd.warned != Verdict.MUST, odd
            for line in (*failed, *warned):
                check_clear_line(line, file)
        assert result.exit_code == (len(masks) < FILES)

    check()


def test_score_ends_with_a_table_or_one_line(examples: settings, tmp_path: Path) -> None:
    world = labels()

    @settings(examples, max_examples=examples.max_examples // 20)
    @given(odd_files(world))
    def check(odd: OddFile) -> None:
        mask, plain = tmp_path / f"odd{odd.ending}", tmp_path / "plain.nii"
        mask.write_bytes(odd.content)
        write_plain(plain, world, odd.grid)
        result = run("score", mask, plain, "--labels", CLASSES)
        if odd.refused == Verdict.MUST or odd.sheared:
            assert result.exit_code == 1
        if odd.refused == Verdict.NO and not odd.sheared:
            assert result.exit_code == 0, result.output
        if result.exit_code:
            (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
            check_clear_line(line, mask, plain)
        elif odd.warned == Verdict.MUST:
            assert "warning: " in result.stderr

    check()
