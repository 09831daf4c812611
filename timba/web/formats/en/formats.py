"""How Django itself writes times in English: the pages of the staff show them so."""

from typing import Final

DATETIME_FORMAT: Final = "j M Y H:i e"
