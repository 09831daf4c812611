"""Passes the elements of a workbook's XML to functions, without building a tree of it.

Elements are known by their names within the namespaces of workbooks, whatever their prefixes are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from timba.files.processors.base import FileRefused
from timba.tallies.cells.archives import DAMAGED, STRANGE_XML

TRUE: Final = frozenset(("1", "true"))
_CHUNK: Final = 64 * 1024
_SEPARATOR: Final = " "
# Of sheets, strings and styles, the same in strict workbooks, and of relationships.
_NAMESPACES: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://schemas.openxmlformats.org/package/2006/relationships",
)
_ID_ATTRIBUTES: Final = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships id",
    "http://purl.oclc.org/ooxml/officeDocument/relationships id",
)

Attributes = Mapping[str, str]
Starts = Mapping[str, Callable[[Attributes], None]]
Ends = Mapping[str, Callable[[], None]]


def parse_xml(
    stream: BinaryIO,
    starts: Starts,
    ends: Ends | None = None,
    add_text: Callable[[str], None] | None = None,
) -> None:
    """Call the functions for the starts and ends of elements by name, and one with each text.

    Raises FileRefused for XML that is damaged or declares a document type.
    """
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    start_functions, end_functions = _qualify(starts), _qualify(ends or {})

    def start(name: str, attributes: Attributes) -> None:
        if (function := start_functions.get(name)) is not None:
            function(attributes)

    def end(name: str) -> None:
        if (function := end_functions.get(name)) is not None:
            function()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError):
        # Of the latter two, an encoding that is unknown or has several bytes for a character.
        raise FileRefused(DAMAGED) from None


def relationship_id(attributes: Attributes) -> str:
    """Return the id of the relationship that an element refers to, or ""."""
    return next((attributes[name] for name in _ID_ATTRIBUTES if name in attributes), "")


def _qualify(functions: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{namespace}{_SEPARATOR}{name}": function
        for namespace in _NAMESPACES
        for name, function in functions.items()
    }


def _refuse_doctype(*_: object) -> None:
    raise FileRefused(STRANGE_XML)
