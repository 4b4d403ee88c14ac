"""Who made a DICOM object: the software, and the model with the SHA-256 of its weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import covid_monai
from covid_monai.exchange.identifiers import uid_from

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.sr import AlgorithmIdentification, ObservationContext

SOFTWARE = "covid-monai"


@dataclass(frozen=True)
class Algorithm:
    """The model that made a mask.

    Attributes:
        bundle: its name.
        weights: SHA-256 of its weights.
    """

    bundle: str
    weights: str

    @property
    def version(self) -> str:
        """Of the software."""
        return f"{SOFTWARE} {covid_monai.__version__}"

    def equipment(self) -> dict[str, Any]:
        """The attributes of the Enhanced General Equipment module, as highdicom's constructors take them."""
        return {
            "manufacturer": SOFTWARE,
            "manufacturer_model_name": self.bundle,
            "software_versions": self.version,
            # 64 characters are what the attribute holds, and what a SHA-256 has
            "device_serial_number": self.weights[:64],
        }

    def of_segments(self) -> "AlgorithmIdentificationSequence":
        """As segments have it (PS3.3 table 10-19)."""
        from highdicom import AlgorithmIdentificationSequence
        from pydicom.sr.codedict import codes

        return AlgorithmIdentificationSequence(
            name=self.bundle,
            family=codes.DCM.ArtificialIntelligence,
            version=self.version,
            source=SOFTWARE,
            parameters={"weights_sha256": self.weights},
        )

    def of_measurements(self, parameters: list[str]) -> "AlgorithmIdentification":
        """As measurements have it (PS3.16 TID 4019).

        Args:
            parameters: of measuring, as ``name=value``.
        """
        from highdicom.sr import AlgorithmIdentification

        return AlgorithmIdentification(
            name=self.bundle, version=self.version, parameters=[f"weights_sha256={self.weights}", *parameters]
        )

    def observer(self) -> "ObservationContext":
        """The device that a report's values are of; the same weights are the same device."""
        from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
        from pydicom.sr.codedict import codes

        device = DeviceObserverIdentifyingAttributes(
            uid=uid_from(f"{self.version} {self.weights}"),
            name=self.bundle,
            manufacturer_name=SOFTWARE,
            model_name=self.bundle,
        )
        return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))
