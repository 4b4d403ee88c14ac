import hashlib

import pytest
from click.testing import CliRunner

from covid_monai.cli.data import data
from covid_monai.cli.root import root
from covid_monai.data.manifest import read_dataset
from covid_monai.data.sources import download
from covid_monai.data.sources.download import Published, RemoteFile
from covid_monai.errors import InputError
from tests.data.sources import published
from tests.data.sources.server import serving


def run(*arguments: object, answer: str | None = None):
    return CliRunner().invoke(data, list(map(str, arguments)), input=answer)


@pytest.mark.parametrize(
    ("name", "slices", "intensity", "note"),
    [
        ("medseg", 5, "5 hu", "val_im.nii.gz has no labels"),
        ("radiopaedia", 36, "36 hu", "--patients"),
        ("kaggle", 10, "10 hu", "checksum is not compared"),
        ("zenodo", 20, "5 hu, 15 window", "[-1250, 250] HU"),
    ],
)
def test_published_layouts_are_prepared_and_say_what_is_known(tmp_path, name, slices, intensity, note):
    getattr(published, f"write_{name}")(tmp_path / "raw")
    result = run("prepare", name, tmp_path / "raw", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"{slices} slices ({intensity})" in result.output
    assert note in result.output
    dataset = read_dataset(tmp_path / "out")
    assert len(dataset.cases) == slices
    assert dataset.licence
    # a second time it asks for --overwrite
    assert isinstance(run("prepare", name, tmp_path / "raw", "-o", tmp_path / "out").exception, InputError)
    assert run("prepare", name, tmp_path / "raw", "-o", tmp_path / "out", "--overwrite").exit_code == 0


def test_options_reach_the_importers(tmp_path):
    published.write_zenodo(tmp_path / "zenodo")
    options = ["--lesion-slices-only", "--no-flip-radiopaedia"]
    result = run("prepare", "zenodo", tmp_path / "zenodo", "-o", tmp_path / "a", *options)
    assert "taken as their headers say" in result.output
    assert all(case.pixels for case in read_dataset(tmp_path / "a").cases)
    published.write_kaggle(tmp_path / "kaggle")
    assert (
        run("prepare", "kaggle", tmp_path / "kaggle", "-o", tmp_path / "b", "--transpose", "--flip-rows").exit_code == 0
    )
    published.write_radiopaedia(tmp_path / "rp")
    (tmp_path / "p.csv").write_text("case,patient\n" + "".join(f"{number},p\n" for number in range(1, 10)))
    run("prepare", "radiopaedia", tmp_path / "rp", "-o", tmp_path / "c", "--patients", tmp_path / "p.csv")
    assert {case.patient for case in read_dataset(tmp_path / "c").cases} == {"p"}


@pytest.fixture
def medseg(monkeypatch):
    with serving() as server:
        server.files = {"/1": b"image" * 1000, "/2": b"mask"}
        files = tuple(
            RemoteFile(name, server.address + path, hashlib.md5(server.files[path]).hexdigest())
            for name, path in (("tr_im.nii.gz", "/1"), ("tr_mask.nii.gz", "/2"))
        )
        monkeypatch.setitem(download.PUBLISHED, "medseg", Published("CC0, as stated", lambda: files))
        yield server


def test_the_licence_is_shown_and_accepted_by_an_answer(medseg, tmp_path):
    result = run("download", "medseg", "-o", tmp_path / "raw", answer="y\n")
    assert result.exit_code == 0, result.output
    assert result.output.index("CC0, as stated") < result.output.index("Do you accept")
    assert (tmp_path / "raw/tr_im.nii.gz").read_bytes() == b"image" * 1000
    assert "next: covid-monai data prepare medseg" in result.output


def test_the_licence_is_accepted_by_an_option(medseg, tmp_path):
    result = run("download", "medseg", "-o", tmp_path, "--accept-licence")
    assert result.exit_code == 0
    assert "CC0, as stated" in result.output
    assert "Do you accept" not in result.output


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_is_fetched_without_acceptance(medseg, tmp_path, answer):
    result = run("download", "medseg", "-o", tmp_path / "raw", answer=answer)
    assert isinstance(result.exception, InputError)
    assert "nothing downloaded" in str(result.exception)
    assert medseg.asked == []
    assert not (tmp_path / "raw").exists()


def test_an_interrupted_download_exits_with_one_line_and_is_resumed(medseg, tmp_path):
    command = ["data", "download", "medseg", "-o", str(tmp_path), "--accept-licence"]
    medseg.break_after = 2000
    broken = CliRunner().invoke(root, command)
    assert broken.exit_code == 1
    (line,) = [line for line in broken.output.splitlines() if line.startswith("Error: ")]
    assert "broke after 2000 of 5000 bytes" in line
    medseg.break_after = None
    assert CliRunner().invoke(root, command).exit_code == 0
    assert ("/1", "bytes=2000-") in medseg.asked


def test_zenodo_is_fetched_as_its_record_lists_it(tmp_path, monkeypatch):
    with serving() as server:
        names = ("COVID-19-CT-Seg_20cases.zip", "Infection_Mask.zip", "Lung_Mask.zip", "Lung_and_Infection_Mask.zip")
        server.files = {f"/{name}": name.encode() for name in names}
        entries = {
            name: (f"{server.address}/{name}", f"md5:{hashlib.md5(name.encode()).hexdigest()}") for name in names
        }
        monkeypatch.setattr(download, "ZENODO_RECORD", server.offer_record("/api", entries))
        result = run("download", "zenodo", "-o", tmp_path, "--accept-licence")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize(("name", "address"), [("radiopaedia", "13521509.v2"), ("kaggle", "kaggle.com/c/covid-")])
def test_what_has_no_direct_address_says_where_to_get_it(name, address):
    result = CliRunner().invoke(root, ["data", "download", name])
    assert result.exit_code == 1
    assert address in result.output
    assert f"covid-monai data prepare {name} FOLDER" in result.output
