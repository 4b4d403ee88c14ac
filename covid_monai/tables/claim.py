"""Making a folder that of a table's jobs, or saying why it cannot be."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.errors import InputError
from covid_monai.files import sha256_of, write_json
from covid_monai.tables.folder import FORMAT, NOTE, VERSION, prepare_parts, read_note
from covid_monai.tables.needs import check_deviations, check_needs
from covid_monai.tables.plan import Job, jobs_of_folders
from covid_monai.tables.same_jobs import has_same_jobs, jobs_hash
from covid_monai.tables.table import Table

_WORDS = {
    "table": "table",
    "manifest_sha256": "data set, or of this one before it was changed",
    "budget": "budget",
}
_WAY_OUT = "give what it was started with, or choose another output folder"


@dataclass(frozen=True)
class Claim:
    """A folder asked for a table's jobs: of this table, data and budget, with these deviations allowed.

    ``allowed`` are of :data:`covid_monai.tables.needs.DEVIATIONS`; those in the folder's note are allowed too.
    ``resume`` says whether the folder may have been begun before.
    """

    table: Table
    jobs: Sequence[Job]
    data: Path
    output: Path
    budget: str
    resume: bool = False
    allowed: Sequence[str] = ()

    def check(self) -> None:
        """Refuse whatever :meth:`make` would refuse; nothing is written into the folder.

        Raises:
            InputError: see :meth:`make`.
        """
        before = self._before()
        with tempfile.TemporaryDirectory() as scratch:
            # splits are drawn, and data of variants made, elsewhere
            if before["jobs"]:
                for name in ("splits", "data"):
                    if (self.output / name).is_dir():
                        shutil.copytree(self.output / name, Path(scratch) / name)
            self._prepare(before, Path(scratch))

    def make(self) -> None:
        """Write the note, the splits and the data of variants.

        Raises:
            InputError: the folder is of something else, was begun before, the data miss the table's needs, or they
                cannot be split.
        """
        self._before()
        self.output.mkdir(parents=True, exist_ok=True)
        # two processes may start at once
        with FileLock(self.output / ".lock"):
            before = self._before(own=True)
            if not before["jobs"]:
                # of a start that ended before its note was written; it may have been of other data or groups
                _clear_parts(self.output)
            self._prepare(before, self.output)
            # of all times that the folder was gone on with
            names = list(dict.fromkeys([*before["jobs"], *(job.folder for job in self.jobs)]))
            content = {
                "format": FORMAT,
                "version": VERSION,
                **self._identity(),
                "table_sha256": self.table.sha256,
                "allowed_deviations": before["allowed_deviations"],
                "table_path": str(self.table.path.absolute()),
                "data": str(self.data),
                "jobs": names,
                "jobs_sha256": jobs_hash(self.table, names, self.budget),
            }
            write_json(self.output / NOTE, content)

    def _identity(self) -> dict[str, str]:
        return {
            "table": self.table.name,
            "manifest_sha256": sha256_of(read_dataset(self.data).folder / FILE_NAME),
            "budget": self.budget,
        }

    def _before(self, own: bool = False) -> dict[str, Any]:
        """The folder's note, or one without jobs; ``own`` where the folder was found to be usable already."""
        check_deviations(self.allowed)
        identity = self._identity()
        _refuse_foreign_folder(self.output)
        begun = (self.output / NOTE).is_file()
        if begun and not self.resume and not own:
            raise InputError(
                f"{self.output} holds a table already; `resume=True` goes on with it, or choose another folder"
            )
        before = read_note(self.output) if begun else {**identity, "jobs": [], "allowed_deviations": []}
        for key, value in identity.items():
            if before[key] != value:
                raise InputError(f"{self.output} is of another {_WORDS[key]} ({before[key]}, not {value}); {_WAY_OUT}")
        if begun and not has_same_jobs(self.table, before):
            raise InputError(
                f"{self.output} is of another version of this table's YAML ({before['table_sha256']}, not "
                f"{self.table.sha256}), which its jobs depend on; {_WAY_OUT}"
            )
        allowed = sorted({*before["allowed_deviations"], *self.allowed})
        check_needs(self.table, read_dataset(self.data), allowed)
        return {**before, "allowed_deviations": allowed}

    def _prepare(self, before: Mapping[str, Any], output: Path) -> None:
        # the variants of jobs that are done are needed too, to write the table
        done = jobs_of_folders(self.table, before["jobs"], self.budget)
        prepare_parts(self.table, [*self.jobs, *done], self.data, output)


def _clear_parts(output: Path) -> None:
    for name in ("splits", "data"):
        if (output / name).is_dir():
            shutil.rmtree(output / name)


def _refuse_foreign_folder(output: Path) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{output} is a file; choose a folder for the output")
    # another process may be writing the note just now
    names = {child.name for child in output.iterdir() if not child.name.startswith(".writing-")}
    # an earlier start may have ended before the note was written
    begun = names <= {".lock", "splits", "data"} and ".lock" in names
    if names and NOTE not in names and not begun:
        raise InputError(f"{output} is not empty, but has no {NOTE}, so it is no table's folder; choose another")
