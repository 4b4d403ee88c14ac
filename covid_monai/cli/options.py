"""Options under their names in the last release, and the arguments of Python functions as options in errors."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

SUBSET = click.Choice(["train", "validation", "test", "all"])


class RenamedChoice(click.Choice):
    """Choices by their present names; an old one is taken too, with a hint, until the next minor release.

    Args:
        choices: the present names.
        renamed: the present name by the old one.
    """

    def __init__(self, choices: Sequence[str], renamed: Mapping[str, str]) -> None:
        super().__init__(choices)
        self.renamed = renamed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The present name of a choice."""
        if value in self.renamed:
            click.echo(
                f"{value} is now called {self.renamed[value]}; the old name goes with the next release", err=True
            )
            value = self.renamed[value]
        return super().convert(value, param, ctx)


INTENSITY = RenamedChoice(
    ["auto", "checked", "hu", "window", "anchors", "offset1024", "offset1000", "inverted"], {"trusted": "hu"}
)


device_option = click.option("--device", help="Such as cpu or cuda:0.  [default: a GPU where there is one]")
settings_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Setting that the weights were trained with and RUN does not record; repeatable.",
)
orientation_option = click.option(
    "--orientation",
    metavar="AXES",
    help="Where x, y and z run, such as LPS, in files that do not say (sform and qform codes 0).  [default: LAS]",
)
grid_tolerance_option = click.option(
    "--grid-tolerance",
    type=click.FloatRange(min=0),
    metavar="MM",
    help="By how many mm grids that should be one may differ, as rounded headers do.  [default: what float32 rounds]",
)


_STUDY_OPTIONS = (
    click.option("--series", metavar="UID", help="Series of the study to take, as `data studies` lists them."),
    click.option(
        "--spacing",
        type=click.Choice(["auto", "known", "unknown"]),
        default="auto",
        show_default=True,
        help="Whether a study's spacing is real; auto takes 1 x 1 x 1 mm for a placeholder, except in DICOM.",
    ),
    click.option(
        "--ground-glass-below",
        type=float,
        default=-200.0,
        show_default=True,
        metavar="HU",
        help="Where a mask has one class of lesion, ground-glass is what lies below, consolidation the rest.",
    ),
    click.option(
        "--floor-ml",
        type=click.FloatRange(min=0),
        default=0.05,
        show_default=True,
        metavar="ML",
        help="Smaller lesions are left out.",
    ),
    click.option(
        "--floor-percent",
        type=click.FloatRange(min=0, max=100, max_open=True),
        default=0.1,
        show_default=True,
        metavar="PERCENT",
        help="Smaller infected shares score and grade as 0.",
    ),
    click.option("--keep-identifiers", is_flag=True, help="Write paths and UIDs of studies too."),
)


def study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How studies are chosen, measured and named."""
    for option in reversed(_STUDY_OPTIONS):
        command = option(command)
    return command


class RenamedOptions(click.Command):
    """A command that takes options under old names too, with a hint, until the next minor release.

    Args:
        renamed: the new name by the old one, such as ``{"--part": "--subset"}``.
        removed: what to do instead by the name of an option that is gone; giving it is an error.
    """

    def __init__(
        self,
        *arguments: Any,
        renamed: Mapping[str, str] | None = None,
        removed: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.renamed = renamed or {}
        self.removed = removed or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse with the present names of all options."""
        return super().parse_args(ctx, [self._present(text, ctx) for text in args])

    def _present(self, text: str, ctx: click.Context) -> str:
        name, equals, value = text.partition("=")
        if name in self.removed:
            raise click.UsageError(f"{name} is gone: {self.removed[name]}", ctx=ctx)
        if name not in self.renamed:
            return text
        click.echo(f"{name} is now called {self.renamed[name]}; the old name goes with the next release", err=True)
        return f"{self.renamed[name]}{equals}{value}"


def as_options(message: str, command: click.Command | None) -> str:
    """An error that names arguments of a Python function in backticks, with the options of ``command`` instead.

    ```resume=True``` becomes ``--resume`` and ```output``` becomes ``--output``, where the command has these.
    """
    parameters = command.params if command is not None else []
    options = {each.name: max(each.opts, key=len) for each in parameters if isinstance(each, click.Option)}
    if "trust_run" in options:
        options["trust"] = options["trust_run"]
    if "assignments" in options:
        options["settings"] = options["assignments"]

    def option_of(match: re.Match[str]) -> str:
        return str(options.get(match["name"], match[0]))

    return re.sub(r"`(?P<name>[a-z_]+)(=True)?`", option_of, message)
