"""MONAI bundles, one folder an architecture; installed as ``covid_monai.bundles``."""
