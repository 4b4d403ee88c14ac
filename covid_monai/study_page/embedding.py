"""Templates, styles, scripts and pictures as one file that loads nothing."""

import base64
import json
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined


def filled(name: str, **content: Any) -> str:
    """A template of this package with ``content``, which is escaped; a name that is not given is an error."""
    environment = Environment(
        loader=DictLoader({name: text_of(name)}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**content)


def text_of(name: str) -> str:
    """A file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def as_script(content: Any) -> str:
    """JSON that stands in a script of HTML, where no tag may begin."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def data_uri(kind: str, content: bytes) -> str:
    """A picture within a page.

    Args:
        kind: png or webp.
        content: of the file.
    """
    return f"data:image/{kind};base64,{as_text(content)}"


def as_text(content: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(content).decode("ascii")
