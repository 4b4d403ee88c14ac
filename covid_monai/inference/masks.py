"""Writing what was computed for an image on that image's grid."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.files import protecting, replacing
from covid_monai.transforms.grid import orientation_name
from covid_monai.transforms.nifti import STORED_HEADER, nifti_stem, open_nifti
from covid_monai.transforms.nifti_affine import ASSUMED_AXES, qform_of, quaternion_of, sform_of

if TYPE_CHECKING:
    import nibabel


def write_on_grid(image: "nibabel.Nifti1Image", values: NDArray[Any], path: Path) -> None:
    """Write ``values``, as many as ``image`` has, as NIfTI on the grid of ``image``.

    Of the image's header only the grid is kept: what else stands there, such as descriptions, extensions and
    calibration, can name the patient and is not true of a mask.
    """
    header = grid_header(image)
    header.set_data_dtype(values.dtype)
    # without an affine nibabel leaves the header's as it is
    type(image)(values.reshape(image.shape), None, header).to_filename(path)


def grid_header(image: "nibabel.Nifti1Image") -> "nibabel.Nifti1Header":
    """A new header with the shape and the grid of an image, as its file has it: in its unit, sform and qform alike.

    Codes, units, forms and a pixdim that cannot be right, which the reader left out, are left out here too.
    """
    stored = image.extra.get(STORED_HEADER, image.header)
    header = type(stored)()
    header.set_data_shape(image.shape)
    unit = int(stored["xyzt_units"]) & 0x07
    header["xyzt_units"] = unit if unit <= 3 else 2
    sform, qform, quaternion = sform_of(stored), qform_of(stored), quaternion_of(stored)
    header["pixdim"][:4] = stored["pixdim"][:4]
    if 0 <= stored["sform_code"] <= 5 and sform is not None:
        header["sform_code"] = stored["sform_code"]
        header["srow_x"], header["srow_y"], header["srow_z"] = sform[:3]
        header["pixdim"][:4] = 1, *np.linalg.norm(sform[:3, :3], axis=0)
    if 0 <= stored["qform_code"] <= 5 and qform is not None and quaternion is not None:
        header["qform_code"] = stored["qform_code"]
        header["quatern_b"], header["quatern_c"], header["quatern_d"] = quaternion
        header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = qform[:3, 3]
        if stored["qform_code"]:
            header["pixdim"][:4] = stored["pixdim"][:4]
    if not header["sform_code"] and not header["qform_code"] and orientation_name(image.affine) != ASSUMED_AXES:
        # the user said how the axes lie
        header.set_sform(image.affine, code=2)
        header.set_qform(image.affine, code=2)
        header.set_xyzt_units("mm")
    return header


class SaveMasks:
    """An evaluator's handler that writes each prediction as ``<name>.nii.gz``, uint8, on its image's grid.

    It stands in for MONAI's ``SaveImaged``, which drops or adds a dimension where a slice is H x W x 1.

    Args:
        folder: for the masks.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def attach(self, engine: Any) -> None:
        """Listen to ``engine``, whose batches were loaded from NIfTI files."""
        from ignite.engine import Events

        engine.add_event_handler(Events.ITERATION_COMPLETED, self._save_batch)

    def _save_batch(self, engine: Any) -> None:
        from monai.utils import CommonKeys, ImageMetaKey

        for batch, output in zip(engine.state.batch, engine.state.output, strict=True):
            image = Path(batch[CommonKeys.IMAGE].meta[ImageMetaKey.FILENAME_OR_OBJ])
            mask = output[CommonKeys.PRED][0].cpu().numpy().astype(np.uint8)
            with protecting(*self._images(engine)), replacing(self.folder / f"{nifti_stem(image)}.nii.gz") as file:
                write_on_grid(open_nifti(image, allow_shear=True), mask, file)

    def _images(self, engine: Any) -> list[Path]:
        data = getattr(getattr(engine.state.dataloader, "dataset", None), "data", None) or engine.state.batch
        return [Path(str(getattr(item["image"], "meta", {}).get("filename_or_obj", item["image"]))) for item in data]
