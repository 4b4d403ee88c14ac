"""The root command and the one place where errors become one line and an exit status."""

import importlib
from typing import Any

import click

import covid_monai
from covid_monai.errors import InputError

COMMANDS = ("train", "evaluate", "predict", "score", "report", "reproduce", "data", "bundle", "doctor")
INTERRUPTED = 130


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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; what the user gave wrong, or the disk refused, is told in one line."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
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
