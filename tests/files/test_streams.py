"""Stored bytes are believed only when they are the ones that were uploaded."""

from __future__ import annotations

import hashlib
import io

import pytest

from timba.files.storage import FileDamaged, VerifiedStream

CONTENT = bytes(range(256)) * 1000


def stream_of(content: bytes, *, uploaded: bytes = CONTENT) -> VerifiedStream:
    return VerifiedStream(io.BytesIO(content), sha256=hashlib.sha256(uploaded).hexdigest())


def in_pieces(stream: VerifiedStream) -> bytes:
    return b"".join(iter(lambda: stream.read(1000), b""))


def into_a_buffer(stream: VerifiedStream) -> bytes:
    return b"".join(io.BufferedReader(stream))


def at_once(stream: VerifiedStream) -> bytes:
    return stream.read()


WAYS = pytest.mark.parametrize("read", [at_once, in_pieces, into_a_buffer])


@WAYS
def test_the_uploaded_bytes_are_read_as_they_are(read) -> None:
    with stream_of(CONTENT) as stream:
        assert read(stream) == CONTENT


@WAYS
@pytest.mark.parametrize(
    "stored",
    [CONTENT[:-1], CONTENT + b"x", b"", CONTENT[:1000] + b"\xff" + CONTENT[1001:]],
    ids=["cut off", "longer", "empty", "one byte turned"],
)
def test_other_bytes_are_noticed_at_their_end(read, stored: bytes) -> None:
    with stream_of(stored) as stream, pytest.raises(FileDamaged):
        read(stream)


def test_bytes_are_not_judged_before_their_end() -> None:
    with stream_of(CONTENT[:10]) as stream:
        assert stream.read(0) == b""
        assert stream.read(4) == CONTENT[:4]
        assert stream.read(100) == CONTENT[4:10]
        with pytest.raises(FileDamaged):
            stream.read(1)


def test_closing_closes_what_is_underneath() -> None:
    below = io.BytesIO(CONTENT)
    VerifiedStream(below, sha256="").close()
    assert below.closed
