"""The English formats of times on the admin pages."""

from typing import Final

DATETIME_FORMAT: Final = "j M Y H:i e"
