"""The documents' Python is run and their command lines are parsed."""

import configparser
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile, copytree
from types import FrameType

import click
import nibabel
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from covid_monai.catalog.config import RENAMED
from covid_monai.cli import root
from covid_monai.cli.options import RenamedChoice, RenamedOptions
from covid_monai.data.manifest import read_dataset
from tests.inference.drawn_studies import write_dicom
from tests.tables.test_every_table import tiny
from tests.test_imports import LAYERS
from tests.tiny import write_tiny_dataset

HOME = Path(__file__).resolve().parents[1]
WITH_PYTHON = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))]
WITH_COMMANDS = [*WITH_PYTHON, HOME / "data" / "README.md", *sorted(HOME.glob("bundles/*/docs/README.md"))]

ONNX_FILE = "a_segnet.onnx"
"""Exported before a block that reads it, which takes over ten seconds."""

IN_ORDER = "from-scanner-to-table.md"
"""Its blocks are run one after the other, in one folder."""

NOT_EXECUTED = re.compile(r"<!-- not executed: \S.* -->")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
INLINE_COMMAND = re.compile(r"(?<!`)`(covid-monai [^`]* -[^`]*)`(?!`)")


def python_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of every ``python`` block that is to be executed."""
    for fence in FENCE.finditer(text):
        before = text[: fence.start()].rstrip("\n").rpartition("\n")[2].strip()
        if fence["language"] == "python" and not NOT_EXECUTED.fullmatch(before):
            yield text.count("\n", 0, fence.start()) + 1, fence["text"]


def commands(text: str) -> list[str]:
    """Every line of a block that starts with ``covid-monai``, lines that go on joined, and those in running text."""
    blocks = "\n".join(fence["text"] for fence in FENCE.finditer(text) if fence["language"] in ("", "bash", "sh"))
    lines = re.sub(r"\\\n\s*", "", blocks).splitlines()
    found = [line.strip() for line in lines if line.strip().startswith("covid-monai ")]
    return found + INLINE_COMMAND.findall(FENCE.sub("", text))


def refusal(line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What click says against a command line, and hints at options of old names; empty where it takes the line."""
    _, *arguments = shlex.split(line, comments=True)
    command: click.Command = root
    for argument in arguments:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), argument) or command
    # the line is parsed, not run
    monkeypatch.setattr(command, "callback", lambda **_: None)
    result = CliRunner().invoke(root, arguments)
    return result.stderr if result.exit_code == 0 else result.stderr or repr(result.exception)


PYTHON = [
    pytest.param(text, id=f"{path.relative_to(HOME)}:{line}", marks=[pytest.mark.slow] if ONNX_FILE in text else [])
    for path in WITH_PYTHON
    if path.name != IN_ORDER
    for line, text in python_blocks(path.read_text(encoding="utf-8"))
]
COMMANDS = [
    pytest.param(command, id=f"{path.relative_to(HOME)}: {command[:60]}")
    for path in WITH_COMMANDS
    for command in commands(path.read_text(encoding="utf-8"))
]


@pytest.fixture
def workplace(tiny_dataset, tiny_run, tmp_path, monkeypatch):
    """A folder with what the documents name: a data set, a run, a CT volume, one slice of it, masks, references."""
    copytree(tiny_dataset, tmp_path / "data" / "mine")
    copytree(tiny_run, tmp_path / "runs" / "first")
    first = read_dataset(tiny_dataset).cases[0]
    image, label = (nibabel.load(tiny_dataset / path) for path in (first.image, first.label))
    for folder in ("ct", "masks", "references"):
        (tmp_path / folder).mkdir()
    volume = np.repeat(np.asarray(image.dataobj), 3, axis=2)
    nibabel.save(nibabel.Nifti1Image(volume, image.affine), tmp_path / "ct" / "study.nii.gz")
    reference = np.repeat(np.asarray(label.dataobj), 3, axis=2)
    nibabel.save(nibabel.Nifti1Image(reference, label.affine), tmp_path / "references" / "study.nii.gz")
    nibabel.save(image, tmp_path / "slice.nii.gz")
    # what an example writes anew stays there
    shutil.copytree(HOME / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", PYTHON)
def test_python_in_the_documents_runs(text, workplace):
    if ONNX_FILE in text:
        from covid_monai.run.export import export_bundle

        pytest.importorskip("onnxruntime")
        export_bundle("a_segnet", workplace / "runs" / "first", "onnx", workplace / ONNX_FILE)
    exec(compile(text, "document", "exec"), {"__name__": "document"})


@pytest.mark.slow
def test_the_way_from_a_scanner_to_a_table_is_as_it_is_shown(tiny_run, tmp_path, monkeypatch, capsys):
    for name in ("first", "second"):
        write_dicom(tmp_path / "scanner" / name)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(tiny_run)
    monkeypatch.chdir(tmp_path)
    statuses = {}
    for fence in FENCE.finditer((HOME / "docs" / IN_ORDER).read_text(encoding="utf-8")):
        if fence["language"] == "csv":
            Path("studies.csv").write_text(fence["text"], encoding="utf-8")
        elif fence["language"] == "python":
            exec(compile(fence["text"], IN_ORDER, "exec"), {"__name__": "document"})
        for line in fence["text"].splitlines() if fence["language"] == "bash" else ():
            # by hand, as the page says
            for mask in Path().glob("cohort/P0?/mask.nii.gz"):
                copyfile(mask, mask.with_name("edited.nii.gz"))
            statuses[line] = CliRunner().invoke(root, shlex.split(line)[1:]).exit_code
    # one study of the table is lost, as the page says
    assert {line for line, status in statuses.items() if status} == {line for line in statuses if "studies.csv" in line}
    assert len(statuses) == 7
    shown = capsys.readouterr().out
    assert "infected share, median (quartiles): " in shown
    assert "n = 2" in shown


@pytest.mark.parametrize("line", COMMANDS)
def test_command_lines_in_the_documents_are_understood(line, monkeypatch):
    assert refusal(line, monkeypatch) == ""


def test_commands_of_the_demo_are_understood(monkeypatch):
    shown = subprocess.run(["make", "-n", "demo"], cwd=HOME, capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if "bin/covid-monai " in line]
    assert len(lines) == 8
    assert [refusal(line, monkeypatch) for line in lines] == [""] * 8


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("covid-monai trian a_segnet", "No such command 'trian'"),
        ("covid-monai train a_segnet --data d -o r --epochs 5", "No such option"),
        ("covid-monai data split d -o s.json", "Missing option '--protocol'"),
        ("covid-monai bundle show  # NAME", "Missing argument 'NAME'"),
        ("covid-monai predict x.nii -o out --run r --window 64", "--window is gone"),
        ("covid-monai evaluate run --part all", "--part is now called --subset"),
    ],
)
def test_a_command_line_that_is_wrong_or_old_is_found(line, error, monkeypatch):
    assert error in refusal(line, monkeypatch)


def test_blocks_and_commands_are_found_where_they_are():
    text = (
        "`covid-monai data info D` and `covid-monai score A B -o S`\n\n"
        "```bash\ncovid-monai train a_segnet \\\n    --data D -o R  # why\nls\n```\n"
        "<!-- not executed: takes hours -->\n```python\nslow()\n```\n"
        "```sh\ncovid-monai doctor\n```\n"
        "1. ```python\n   inner()\n   ```\n```python\nx = 1\n```\n"
    )
    assert commands(text) == [
        "covid-monai train a_segnet --data D -o R  # why",
        "covid-monai doctor",
        "covid-monai score A B -o S",
    ]
    assert [block for _, block in python_blocks(text)] == ["x = 1\n"]


def test_every_document_is_read():
    assert {path.name for path in WITH_COMMANDS} >= {"README.md", "reproduce.md", "exports.md", "gpu-runs.md"}
    assert len(PYTHON) >= 2
    assert len(COMMANDS) > 40


def test_the_picture_of_the_rooms_shows_the_layers_that_imports_keep():
    text = (HOME / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = next(fence["text"] for fence in FENCE.finditer(text) if fence["text"].startswith("┌"))
    boxes = [set(re.findall(r"^│ (\w+)", box, re.MULTILINE)) for box in re.split(r"^├.*$", picture, flags=re.MULTILINE)]
    # what offers the package's names stands above all rooms
    assert boxes == [set(layer) for layer in reversed(LAYERS[:-1])]


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: str(path.relative_to(HOME)))
def test_python_files_that_a_document_names_are_there(path):
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", path.read_text(encoding="utf-8")))
    assert {name for name in named if not ((HOME / name).exists() or (HOME / "covid_monai" / name).exists())} == set()


def test_the_citation_has_the_keys_of_its_format_and_the_version_of_the_package():
    citation = yaml.safe_load((HOME / "CITATION.cff").read_text(encoding="utf-8"))
    required, optional = (
        {"cff-version", "message", "title", "authors"},
        {"abstract", "keywords", "license", "references"},
    )
    assert required <= citation.keys() <= required | optional | {"type", "version"}
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert citation["authors"]
    assert all(isinstance(keyword, str) for keyword in citation["keywords"])
    setup = configparser.ConfigParser()
    setup.read(HOME / "setup.cfg", encoding="utf-8")
    assert citation["version"] == setup["metadata"]["version"]
    # what is cited is the code; the weights beside it have terms of their own, which the format cannot add
    assert citation["license"] == setup["metadata"]["license_expression"].split(" AND ")[0]
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= reference.keys()
        address = reference.get("url") or f"https://doi.org/{reference['doi']}"
        assert address in setup["metadata"]["project_urls"]
        assert isinstance(reference["year"], int)
        assert all({"family-names", "given-names"} == author.keys() for author in reference["authors"])
        # YAML reads a bare Y as a truth value in some readers
        assert all(isinstance(name, str) for author in reference["authors"] for name in author.values())


def commands_of(command: click.Command) -> Iterator[click.Command]:
    """A command and all those within it."""
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from commands_of(inner)


def test_every_name_that_has_an_alias_or_is_gone_stands_in_the_changelog():
    renamed = set(RENAMED.items())
    gone = set()
    for command in commands_of(root):
        if isinstance(command, RenamedOptions):
            renamed |= set(command.renamed.items())
            gone |= command.removed.keys()
        for kind in (each.type for each in command.params):
            renamed |= set(kind.renamed.items()) if isinstance(kind, RenamedChoice) else set()
    assert ("--part", "--subset") in renamed
    assert ("trusted", "hu") in renamed
    assert "--window" in gone
    rows = (HOME / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert {pair for pair in renamed if not any(all(f"`{name}`" in row for name in pair) for row in rows)} == set()
    assert {name for name in gone if not any(f"`{name}`" in row for row in rows)} == set()


def test_hooks_before_a_commit_run_what_make_lint_runs():
    hooks = yaml.safe_load((HOME / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    entries = [hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in hooks]
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (HOME / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe is not None
    # make names the folder, pre-commit the files
    assert entries == [line.removeprefix("\t$(BIN)/").removesuffix(" .") for line in recipe[1].splitlines()]


@pytest.mark.slow
def test_a_row_of_a_table_goes_the_way_that_the_document_describes(tmp_path):
    text = (HOME / "docs" / "architecture.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| \d+ \| `(\S+\.py)`", text, re.MULTILINE)
    dataset = write_tiny_dataset(tmp_path / "data")
    table = tiny("zhou2020-v1", tmp_path)
    entered: dict[str, None] = {}
    package = HOME / "covid_monai"

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        called = event == "call" and code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        if called and code.co_filename.startswith(f"{package}/"):
            entered.setdefault(str(Path(code.co_filename).relative_to(package)))

    arguments = ["--budget", "quick", "--rows", "1", "--protocol", "grouped", "--device", "cpu"]
    arguments += [
        "--data",
        str(dataset),
        "-o",
        str(tmp_path / "out"),
        "--allow-deviation",
        "sources",
        "--allow-deviation",
        "canvas",
    ]
    sys.setprofile(note)
    try:
        result = CliRunner().invoke(root, ["reproduce", str(table), *arguments])
    finally:
        sys.setprofile(None)
    assert result.exit_code == 0, result.output
    assert [name for name in entered if name in documented] == documented
    assert len(documented) <= 22
