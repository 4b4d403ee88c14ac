"""Pictures and templates as one page that needs no other file."""

import base64
from collections.abc import Callable
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from PIL import Image

_JPEG_QUALITY = 90


def embedded_picture(draw: Callable[[Path], None], photographic: bool = False) -> str:
    """What ``draw`` writes to the PNG whose path it gets, as a data URI.

    Args:
        draw: gets the path.
        photographic: embed it as JPEG, which takes a third of the bytes where noise fills much of a picture.
    """
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        draw(picture)
        if not photographic:
            return _data_uri("png", picture.read_bytes())
        with Image.open(picture) as image, BytesIO() as buffer:
            # colours at full resolution, as they mark small lesions
            image.convert("RGB").save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
            return _data_uri("jpeg", buffer.getvalue())


def filled_template(package: str, name: str, **content: Any) -> str:
    """A template of a package with ``content``, which is escaped; a name that is not given is an error.

    The template extends ``base.html`` of this package, which has the style of all pages.
    """
    templates = {
        "base.html": files(__package__).joinpath("base.html").read_text(encoding="utf-8"),
        name: files(package).joinpath(name).read_text(encoding="utf-8"),
    }
    environment = Environment(
        loader=DictLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name).render(**content)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
