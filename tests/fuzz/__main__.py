"""Fuzz one reader: ``python -m tests.fuzz nifti FOLDER``, with options of libFuzzer such as ``-max_total_time=60``.

FOLDER keeps the corpus, which later runs go on from. Anything but InputError is a crash: libFuzzer then leaves the
input as FOLDER/nifti-crash-..., and ``python -m tests.fuzz nifti FOLDER FOLDER/nifti-crash-...`` shows it again.
"""

import logging
import sys
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["covid_monai", "nibabel", "PIL"]):
    # readers import these when they are called, which would be too late
    import nibabel
    import nibabel.nifti2
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    from tests.fuzz.readers import TARGETS

IMPORTED = (nibabel, BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin)


def main() -> None:
    """Run what the command line names."""
    name, folder, *options = sys.argv[1:]
    target, corpus = TARGETS[name], Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    warnings.simplefilter("ignore")
    logging.disable()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / target.name

        def read(content: bytes) -> None:
            path.write_bytes(content)
            target.try_all(path)

        # the process goes on from input to input, and has to stay below 4 GB
        limits = ["-rss_limit_mb=4096", "-timeout=20", "-verbosity=0", "-print_final_stats=1"]
        limits.append(f"-artifact_prefix={folder}/{name}-")
        again = [option for option in options if not option.startswith("-")]
        atheris.Setup([sys.argv[0], *limits, *options, *([] if again else [str(corpus)])], read)
        atheris.Fuzz()


main()
