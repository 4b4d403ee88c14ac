"""Whether the jobs of an output folder are still those of a table: what they depend on, not what is said of them."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from covid_monai.tables.plan import jobs_of_folders
from covid_monai.tables.table import Table

_SAME_JOBS = {
    "budak2021": (
        "22e75d422f5aa2816ca5410e85bce354f2378a2d66f419127b4dafe077f36819",
        "e4c84febd074e9c5205c4a816a835ebe725160377bac6e67f028d315e52a72fc",
    ),
    "chen2020": ("46fb79d8fe2cfc25f2f7641882e110cb2b2f5077d423536b3585cca726d384de",),
    "official-split": ("b6ad9b87ec9da26d3e60e676fd42bc09e5a50beebfc4e82598980c90cf162fff",),
    "zhou2020-v1": ("d0987130dabb0f3850c0716a110ae97e46c87c41afd8a318a23e30d4ccf1c2b1",),
    "zhou2021-v4": (
        "0506021c62ed050c6dbc5c95f5ce81dc5f03b7fc763e86feb371c729b7c51dbd",
        "91b65a2d54191e6b8fff6f0d014f60a2e6c00488f7a811d5ed1e769a50977d5c",
    ),
}
"""SHA-256 of earlier YAML files of the package: without claims, doubtful groups or control arms, on which no job of the
others depends. Folders that were begun with them noted no hash of their jobs."""


def jobs_hash(table: Table, folders: Collection[str], budget: str) -> str:
    """SHA-256 of all that the jobs with these folders take from the table, as 64 hexadecimal digits.

    These are their bundles, settings, grids and data, and how their protocols split. Titles, published values, margins
    and claims can change, and rows be added, without another hash.
    """
    jobs = sorted(jobs_of_folders(table, folders, budget), key=lambda job: job.folder)
    used = sorted({job.protocol for job in jobs})
    content = {
        "jobs": [[job.folder, job.bundle, dict(job.settings), job.grid, job.variant] for job in jobs],
        "protocols": {name: asdict(table.all_protocols[name]) for name in used},
        "folds": table.folds,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def has_same_jobs(table: Table, note: Mapping[str, Any]) -> bool:
    """Whether the jobs that an output folder notes are those of the table now.

    A folder whose note has no hash of its jobs was begun with a YAML that has to be the present one, or an
    earlier one of the package with the same jobs.
    """
    if "jobs_sha256" in note:
        return bool(note["jobs_sha256"] == jobs_hash(table, note["jobs"], note["budget"]))
    return note["table_sha256"] in (table.sha256, *_SAME_JOBS.get(table.name, ()))
