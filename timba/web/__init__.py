"""The HTML doors: pages, templates, static files."""
