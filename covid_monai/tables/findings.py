"""From an output folder to everything that its table says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from covid_monai.tables.claim_verdicts import JudgedClaim, judge_claims
from covid_monai.tables.collecting import collect
from covid_monai.tables.comparability import Head, head_of
from covid_monai.tables.contrasts import Pair, compare_rows
from covid_monai.tables.convergence import Convergence, judge_convergence, not_converged
from covid_monai.tables.exposure import Exposure, estimate_exposures
from covid_monai.tables.leakage import SplitAudit, audit_splits
from covid_monai.tables.optimism import Optimism, estimate_optimism
from covid_monai.tables.patient_optimism import PatientOptimism, estimate_patient_optimism
from covid_monai.tables.plan import plan
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import Entry, estimate_entries


@dataclass(frozen=True)
class Findings:
    """The finished jobs, and what follows from them."""

    results: Results
    head: Head
    entries: tuple[Entry, ...]
    optimism: tuple[Optimism, ...]
    claims: tuple[JudgedClaim, ...]
    pairs: tuple[Pair, ...]
    audits: tuple[SplitAudit, ...]
    convergence: tuple[Convergence, ...]
    exposures: tuple[Exposure, ...]
    patients: tuple[PatientOptimism, ...]

    @property
    def title(self) -> str:
        """The table's title, and the budget after it where that is a smaller one."""
        return self.results.table.title + (f" ({self.results.budget})" if self.results.label else "")

    @property
    def made_of(self) -> str:
        """Of how many of the jobs that were asked for the table is made, and how many it has where that is more."""
        results = self.results
        done, asked = len(results.jobs), len(results.jobs) + len(results.missing)
        whole = len(plan(results.table, budget=results.budget))
        label = f" (budget {results.budget})" if results.label else ""
        return f"{done} of {asked} jobs{f' asked for, of {whole} in the table' if asked < whole else ''}{label}"

    @property
    def not_converged(self) -> frozenset[tuple[str, str]]:
        """(Protocol, slug) of the rows whose training has not converged and that enter no claim."""
        return not_converged(self.results, self.convergence)


def find(output: Path) -> Findings:
    """Read the finished jobs of an output folder, and compute all that the table says of them.

    Raises:
        InputError: nothing is finished, or table, data or jobs have changed since.
    """
    results = collect(output)
    return conclude(results, head_of(results), audit_splits(results))


def conclude(results: Results, head: Head, audits: Sequence[SplitAudit]) -> Findings:
    """All that the table says of finished jobs, once it is known what was compared and what the splits leak."""
    convergence = judge_convergence(results)
    left_out = not_converged(results, convergence)
    return Findings(
        results=results,
        head=head,
        entries=tuple(estimate_entries(results, head.not_comparable, head.no_verdict)),
        optimism=tuple(estimate_optimism(results)),
        claims=tuple(judge_claims(results, head.not_comparable, head.no_verdict, left_out)),
        pairs=tuple(compare_rows(results)),
        audits=tuple(audits),
        convergence=tuple(convergence),
        exposures=tuple(estimate_exposures(results, audits)),
        patients=tuple(estimate_patient_optimism(results)),
    )
