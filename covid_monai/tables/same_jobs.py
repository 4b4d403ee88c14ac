"""Whether the jobs of an output folder are still those of a table: what they depend on, not what is said of them."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from covid_monai.tables.plan import jobs_of_folders
from covid_monai.tables.table import Table

_SAME_JOBS = {
    "budak2021": ("e4c84febd074e9c5205c4a816a835ebe725160377bac6e67f028d315e52a72fc",),
}
"""SHA-256 of earlier YAML files of the package, which lack a row that is published only and no job depends on."""


def jobs_hash(table: Table, folders: Collection[str], budget: str) -> str:
    """SHA-256 of all that the jobs with these folders take from the table, as 64 hexadecimal digits.

    These are their bundles, settings, grids and data, and how their protocols split. Titles, published values, margins
    and claims can change, and rows be added, without another hash.
    """
    jobs = sorted(jobs_of_folders(table, folders, budget), key=lambda job: job.folder)
    used = sorted({job.protocol for job in jobs})
    content = {
        "jobs": [[job.folder, job.bundle, dict(job.settings), job.grid, job.variant] for job in jobs],
        "protocols": {name: asdict(table.protocols[name]) for name in used},
        "folds": table.folds,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def has_same_jobs(table: Table, note: Mapping[str, Any]) -> bool:
    """Whether the jobs that an output folder notes are those of the table now.

    A folder whose note has no hash of its jobs was begun with a YAML that has to be the present one, or the present one
    before claims were put at its end.
    """
    if "jobs_sha256" in note:
        return bool(note["jobs_sha256"] == jobs_hash(table, note["jobs"], note["budget"]))
    return note["table_sha256"] in (table.sha256, _sha256_before_claims(table), *_SAME_JOBS.get(table.name, ()))


def _sha256_before_claims(table: Table) -> str:
    content = table.path.read_bytes()
    # with the comment above it
    before = re.split(rb"^(?:#[^\n]*\n)*claims:", content, maxsplit=1, flags=re.MULTILINE)[0]
    return hashlib.sha256(before).hexdigest()
