"""Plain text is counted correctly for every encoding, size and division into chunks."""

from __future__ import annotations

import codecs
import io
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timba.files.processors import text as text_module
from timba.files.processors.base import FileRefused
from timba.files.processors.text import read_text


class Bytes:
    """A job over bytes in memory, or over a stream that is too large to be."""

    name = "note.txt"

    def __init__(self, content: bytes, *, times: int = 1) -> None:
        self._content, self._times = content, times
        self.size = len(content) * times
        self.fractions: list[float] = []

    def open(self) -> io.RawIOBase | io.BytesIO:
        return (
            Repeated(self._content, self._times) if self._times > 1 else io.BytesIO(self._content)
        )

    def progress(self, fraction: float) -> None:
        self.fractions.append(fraction)


class Repeated(io.RawIOBase):
    """A stream that repeats the same bytes."""

    def __init__(self, piece: bytes, times: int) -> None:
        self._piece, self._left = piece, times

    def read(self, size: int = -1) -> bytes:
        if not self._left or size < len(self._piece):
            return b"" if not self._left else self._piece[:size]
        self._left -= 1
        return self._piece


def facts_of(content: bytes | str) -> dict[str, object]:
    data = content.encode() if isinstance(content, str) else content
    return dict(read_text(Bytes(data)).findings)


@pytest.mark.parametrize(
    ("text", "lines", "words", "chars"),
    [
        ("larch", 1, 1, 5),
        ("larch\n", 1, 1, 6),
        ("larch\nalder", 2, 2, 11),
        ("\n\n\n", 3, 0, 3),
        ("larch\r\nalder\r\n", 2, 2, 14),
        ("larch\ralder", 2, 2, 11),
        ("a\r\r\nb", 3, 2, 5),
        ("  larch\t alder\u00a0oak ", 1, 3, 19),
        ("дуб 🌲 木\u3000材", 1, 4, 9),
        ("a\u2028b", 1, 2, 3),
    ],
)
def test_lines_words_and_characters_are_counted(
    text: str, lines: int, words: int, chars: int
) -> None:
    facts = facts_of(text)
    assert (facts["lines"], facts["words"], facts["chars"]) == (lines, words, chars)
    assert facts["preview"] == text


@pytest.mark.parametrize(
    ("content", "encoding", "preview"),
    [
        ("Lärche €".encode(), "utf-8", "Lärche €"),
        (codecs.BOM_UTF8 + "Lärche".encode(), "utf-8-sig", "Lärche"),
        ("Lärche €".encode("utf-16"), "utf-16", "Lärche €"),
        (codecs.BOM_UTF16_BE + "Lärche".encode("utf-16-be"), "utf-16", "Lärche"),
        ("Lärche €".encode("cp1252"), "cp1252", "Lärche €"),
        ("Bērzs un egle".encode("utf-16-le"), "utf-16-le", "Bērzs un egle"),
        ("Лес и дуб".encode("utf-16-be"), "utf-16-be", "Лес и дуб"),
        (
            "Kļavas un bērza zāģbaļķi, šķirota krava".encode("cp1257"),
            "cp1257",
            "Kļavas un bērza zāģbaļķi, šķirota krava",
        ),
        ("Лес, груз, брёвна".encode("koi8-r"), "koi8-r", "Лес, груз, брёвна"),
        # Some broken bytes among good letters, at the end too.
        ("Bērzs, kļava, Jāņi ".encode() + b"\xff oak", "utf-8", "Bērzs, kļava, Jāņi � oak"),
        ("Bērzs, kļava, Jāņi".encode() + b"\xc4", "utf-8", "Bērzs, kļava, Jāņi�"),
        (
            codecs.BOM_UTF8 + "Bērzs, kļava, Jāņi ".encode() + b"\xff",
            "utf-8-sig",
            "Bērzs, kļava, Jāņi �",
        ),
        (b"a\0b", "utf-8", "a\0b"),
    ],
)
def test_the_encoding_is_detected(content: bytes, encoding: str, preview: str) -> None:
    facts = facts_of(content)
    assert (facts["encoding"], facts["preview"]) == (encoding, preview)
    assert facts["chars"] == len(preview)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("丸太の長さは三メートル", "shift_jis"),
        ("木材长度三米", "gb18030"),
        ("Ğ", "cp1254"),
        ("Mežs", "cp1257"),
        ("Лес", "cp866"),
    ],
)
def test_what_cannot_be_told_is_unknown(text: str, encoding: str) -> None:
    """Only what every encoding shares is counted and shown."""
    content = b"A1\n" + text.encode(encoding)
    assert facts_of(content) == {
        "encoding": "unknown",
        "lines": 2,
        "words": None,
        "chars": None,
        "preview": content.decode("ascii", errors="replace"),
    }


def test_a_wrong_byte_order_mark_is_refused() -> None:
    for content in (codecs.BOM_UTF8 + b"L\xe4rche", codecs.BOM_UTF16_LE + b"abc"):
        with pytest.raises(FileRefused, match="the text that its first bytes promise"):
            facts_of(content)


def test_the_preview_is_the_first_five_hundred_characters() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(600))
    assert facts_of(text)["preview"] == text[:500]


@example("a\r\nb", "utf-8", 2)
@example("larch alder", "utf-8", 3)
@given(
    st.text(st.sampled_from("ab ä木\U0001f332\r\n\t\u00a0"), min_size=1),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    st.integers(1, 7),
)
def test_the_division_into_chunks_does_not_matter(text: str, encoding: str, size: int) -> None:
    content = text.encode(encoding, errors="replace")
    whole = facts_of(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "_CHUNK_BYTES", size)
        assert facts_of(content) == whole


@given(st.text(st.sampled_from("ab ä木\r\n\t\v"), min_size=1))
def test_counts_are_those_of_python(text: str) -> None:
    facts = facts_of(text)
    assert facts["words"] == len(text.split())
    assert facts["chars"] == len(text)
    with io.StringIO(text, newline=None) as file:
        assert facts["lines"] == len(list(file))


@pytest.mark.parametrize(
    ("piece", "times", "lines", "words"),
    [
        (b"x" * 2**20, 20, 1, 1),
        (b"forest " * 2**17, 2, 1, 2 * 2**17),
        (b"\r\n" * 2**19, 20, 20 * 2**19, 0),
    ],
    ids=["one line", "words", "lines"],
)
def test_large_text_is_counted_in_little_memory(
    piece: bytes, times: int, lines: int, words: int
) -> None:
    job = Bytes(piece, times=times)
    tracemalloc.start()
    try:
        facts = read_text(job).findings
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (facts["lines"], facts["words"], facts["chars"]) == (lines, words, times * len(piece))
    assert peak < 12 * 2**20
    assert job.fractions == sorted(job.fractions)
    assert len(job.fractions) >= times
