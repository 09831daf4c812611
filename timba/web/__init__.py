"""The HTML views: pages, templates, static files."""
