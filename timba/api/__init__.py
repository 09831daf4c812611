"""The JSON API: a view parses, fetches visible rows, calls one service and renders."""
