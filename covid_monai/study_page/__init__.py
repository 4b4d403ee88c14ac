"""A study as one HTML file to look at: its slices, its mask, what was measured, and how; and an index of studies."""

PAGE, THUMBNAIL = "page.html", "thumbnail.webp"
"""Files in the folder of a study."""

INDEX = "index.html"
"""The file in the folder of several studies."""
