"""The root command and the one place where errors become one line and an exit status."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

import covid_monai
from covid_monai.cli.options import as_options
from covid_monai.errors import InputError, InputWarning

COMMANDS = (
    "train",
    "evaluate",
    "predict",
    "measure",
    "score",
    "figure",
    "report",
    "reproduce",
    "data",
    "bundle",
    "benchmark",
    "doctor",
)
INTERRUPTED = 130
_ASKED = "covid_monai.arguments"


class Commands(click.Group):
    """Subcommands that are imported when they are used, and errors that users can act on."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of module ``covid_monai.cli.<name>``."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"covid_monai.cli.{cmd_name}"), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and remember what was asked for."""
        ctx.meta[_ASKED] = list(args)
        return super().parse_args(ctx, args)

    def _called(self, ctx: click.Context) -> click.Command:
        """The command that the arguments name, through all groups."""
        command: click.Command = self
        for argument in ctx.meta[_ASKED]:
            if isinstance(command, click.Group):
                command = command.get_command(ctx, argument) or command
        return command

    @contextmanager
    def _input_warnings_as_lines(self, ctx: click.Context) -> Iterator[None]:
        """What inputs are warned of is told in one line each, once; other warnings look as ever."""
        shown: set[str] = set()
        with warnings.catch_warnings():
            warnings.simplefilter("always", InputWarning)
            before = warnings.showwarning

            def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
                if not issubclass(category, InputWarning):
                    before(message, category, *place, **more)
                elif str(message) not in shown:
                    shown.add(str(message))
                    line = as_options(" ".join(str(message).split()), self._called(ctx))
                    click.echo(f"warning: {line}", err=True)

            warnings.showwarning = show
            yield

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; what the user gave wrong, or the disk refused, is told in one line."""
        try:
            with self._input_warnings_as_lines(ctx):
                return super().invoke(ctx)
        except InputError as error:
            message = as_options(" ".join(str(error).split()), self._called(ctx))
            raise click.ClickException(message) from error
        except BrokenPipeError:
            # the reader of our output has gone, as with `| head`; click ends quietly
            raise
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{error.strerror or error}") from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(covid_monai.__version__, prog_name="covid-monai")
def root() -> None:
    """Published networks for COVID-19 lesion segmentation in chest CT: train, evaluate, use.

    Exit status: 0 all done; 1 some input cannot be used; 2 wrong usage; 130 interrupted.
    """
