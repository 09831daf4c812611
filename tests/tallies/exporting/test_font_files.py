"""Fonts are found by their characters; what cannot be embedded is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.ttLib import TTCollection, TTFont

from timba.tallies.exporting import font_files
from timba.tallies.exporting.font_files import BOLD, REGULAR, FontFile, are_packaged, find_font


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the only folder in which fonts are looked for."""
    monkeypatch.setattr(font_files, "FOLDERS", (tmp_path, tmp_path / "absent"))
    for function in (font_files.find_font, font_files._installed_fonts):
        function.cache_clear()
    yield tmp_path
    for function in (font_files.find_font, font_files._installed_fonts):
        function.cache_clear()


def test_the_plainest_sans_serif_font_is_first(folder: Path) -> None:
    (folder / "deep").mkdir()
    for name in (
        "A-Bold.ttf",
        "Serif.ttf",
        "deep/Zed Sans.ttf",
        "Zed Sans Mono.ttf",
        "Zed Sans UI.ttf",
    ):
        shutil.copy(REGULAR.path, folder / name)
    assert find_font(frozenset("aب")) == FontFile(folder / "deep/Zed Sans.ttf")


def test_all_characters_are_in_the_font_or_none_is_found(folder: Path) -> None:
    shutil.copy(REGULAR.path, folder / "Sans.ttf")
    assert find_font(frozenset("aд")) == FontFile(folder / "Sans.ttf")
    assert find_font(frozenset("aд松")) is None


def test_what_is_no_font_for_a_pdf_is_left_alone(folder: Path) -> None:
    (folder / "Broken Sans.ttf").write_bytes(REGULAR.path.read_bytes()[:3000])
    (folder / "Empty Sans.ttf").touch()
    (folder / "Text Sans.ttf").write_text("no font")
    (folder / "Folder Sans.ttf").mkdir()
    (folder / "Dangling Sans.ttf").symlink_to(folder / "absent")
    shutil.copy(REGULAR.path, folder / "LastResort Sans.ttf")
    shutil.copy(REGULAR.path, folder / "readme.txt")
    with TTFont(REGULAR.path) as font:
        del font["glyf"]
        del font["loca"]
        font.save(folder / "Colour Sans.ttf")
    assert find_font(frozenset("a")) is None


def test_of_a_collection_the_simplified_chinese_face_is_used(folder: Path) -> None:
    collection = TTCollection()
    for name in ("Zed JP", "Zed SC", "Zed KR"):
        font = TTFont(REGULAR.path)
        for record in font["name"].names:
            record.string = name
        collection.fonts.append(font)
    collection.save(folder / "Zed.ttc")
    assert find_font(frozenset("a")) == FontFile(folder / "Zed.ttc", 1)


def test_the_packaged_font_has_european_letters_arabic_and_hebrew() -> None:
    assert are_packaged(["Bērzs ŵ", "дуб", "ξύλο", "خشب", "עץ", "m³ – “”", ""])
    assert not are_packaged(["Bērzs", "松"])
    assert font_files.has_packaged_fonts()
    assert BOLD.path.is_file()
