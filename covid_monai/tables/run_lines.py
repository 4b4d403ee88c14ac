"""How the jobs of a table ran, as lines of text for table.md and the page: what each took, and how far it trained."""

import math
from collections.abc import Sequence

from covid_monai.scoring.format import ABSENT
from covid_monai.tables.convergence import Convergence
from covid_monai.tables.progress import seconds_in_words
from covid_monai.tables.render import Lines, digits_of, heading_of, plain
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import job_values


def convergence_lines(convergence: Sequence[Convergence]) -> Lines:
    """A line a row and protocol: how far loss and validation Dice still moved in the last quarter of the epochs."""
    rows = []
    for each in convergence:
        dice = [ABSENT] * 3
        if each.dice is not None and each.dice_change is not None:
            dice = [*(plain(value, 3) for value in each.dice), f"{plain(100 * each.dice_change, 1, '+')} %"]
        fall = f"{plain(100 * each.loss_fall, 1)} %" if math.isfinite(each.loss_fall) else "never fell"
        line = [each.protocol, each.row.label, str(each.jobs), str(each.epochs)]
        line += [*(plain(value, 3) for value in each.loss), fall, *dice]
        rows.append([*line, "yes" if each.converged else "no"])
    header = ["protocol", "row", "jobs", "epochs", "loss: first epoch", "third quarter", "last quarter"]
    header += ["share of its fall", "validation Dice: third quarter", "last quarter", "change", "converged"]
    return Lines("Convergence", "", header, rows)


def job_lines(results: Results) -> Lines:
    """A line a finished job: what it gave in the table's first measure, and what it took."""
    measure = next(iter(results.table.measures.values()))
    digits = digits_of(measure, results.table)
    rows = []
    for protocol in (*results.protocols, *results.control_arms):
        for row in results.table.rows:
            values = measure.scale * job_values(results, protocol, row, measure)
            done = results.jobs_of(protocol, row)
            for value, job in zip(values[done.index], done.to_dict("records"), strict=True):
                rows.append(
                    [
                        protocol,
                        row.label,
                        str(job["fold"]),
                        str(job["seed"]),
                        plain(float(value), digits),
                        f"{job['kept_epoch']} of {job['epochs']}",
                        seconds_in_words(job["seconds"]),
                        f"{job['peak_memory_bytes'] / 2**30:.1f} GiB",
                        f"{job['device']}",
                        job["weights_sha256"][:12],
                    ]
                )
    header = ["protocol", "row", "fold", "seed", heading_of(measure), "kept epoch", "time", "peak memory", "device"]
    note = "The commands that run one alone stand in its job.json and in table.json." + (
        f" All are of the budget {results.budget}." if results.label else ""
    )
    return Lines("Jobs", note, [*header, "weights (SHA-256)"], rows)


def missing_lines(results: Results) -> list[str]:
    """A sentence for each job that was asked for and is not done."""
    return [
        f"{entry.job.title}: {entry.state}{f', {entry.reason}' if entry.reason else ''}" for entry in results.missing
    ]
