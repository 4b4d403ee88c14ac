"""A study as one HTML file to look at: its slices, its mask, what was measured, and how; and an index of studies."""
