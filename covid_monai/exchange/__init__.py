"""Masks and measurements in the formats of other software: DICOM-SEG, DICOM-SR and 3D Slicer's NRRD."""
