"""Photos that look the same are named, the client's own and live ones alone."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from PIL import Image, ImageEnhance

from tests.factories import UserFactory
from tests.files.conftest import FinishUpload, Receive, UseProcessors, accept
from tests.files.samples import MemorySource, photo
from timba.accounts.models import User
from timba.files.models import File
from timba.files.processors.photo import read_photo
from timba.files.services import delete_file
from timba.files.similar import MAX_DISTANCE, MAX_SIMILAR, candidates, find_similar, split_hash

HASH = "d1c4a59b6e2f3087"
Change = Callable[[Image.Image], Image.Image]


def picture(seed: int) -> Image.Image:
    """Return a picture of soft blotches that differs by its seed."""
    blotches = Image.frombytes("RGB", (24, 18), random.Random(seed).randbytes(3 * 24 * 18))
    return blotches.resize((640, 480), Image.Resampling.BICUBIC)


def hash_of(image: Image.Image, **options: int) -> int:
    content = io.BytesIO()
    image.save(content, "JPEG", **options)
    return int(read_photo(MemorySource(content.getvalue())).findings["phash"], 16)


def flip(phash: str, *bits: int) -> str:
    return f"{int(phash, 16) ^ sum(1 << bit for bit in bits):016x}"


@pytest.fixture
def keep(receive: Receive) -> Callable[..., File]:
    """Return a function that creates a processed photo with a hash."""

    def create(phash: str, name: str = "a.jpg", content: bytes = b"") -> File:
        file = receive(photo() + (content or random.randbytes(8)), name=name)
        columns = split_hash(phash)
        File.unscoped.filter(pk=file.pk).update(status="SUCCESS", **columns)
        file.refresh_from_db()
        return file

    return create


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image.resize((320, 240)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.15),
        lambda image: ImageEnhance.Contrast(image).enhance(1.2),
        lambda image: image.crop((6, 5, 634, 475)),
    ],
    ids=["saved again", "smaller", "brighter", "more contrast", "cropped by 2 %"],
)
def test_hashes_of_a_changed_copy_differ_in_few_bits(change: Change) -> None:
    for seed in range(8):
        original = picture(seed)
        changed = hash_of(change(original), quality=60)
        assert (hash_of(original) ^ changed).bit_count() <= MAX_DISTANCE
        assert (hash_of(picture(seed + 100)) ^ changed).bit_count() > MAX_DISTANCE


@pytest.mark.django_db
def test_photos_up_to_eight_bits_away_are_found_nearest_first(keep: Callable[..., File]) -> None:
    own = keep(HASH)
    spread = [0, 1, 2, 21, 22, 23, 43, 44, 45]  # three bits of each part
    found = [keep(flip(HASH, *spread[:count])) for count in range(9)]
    keep(flip(HASH, *spread))
    similar = find_similar(own)
    assert len(similar) == MAX_SIMILAR
    assert [photo["id"] for photo in similar] == [file.pk for file in found[:5]]
    assert [photo["distance"] for photo in similar] == [0, 1, 2, 3, 4]
    assert similar[0]["name"] == "a.jpg"
    File.unscoped.filter(pk__in=[file.pk for file in found[:8]]).delete()
    assert [photo["distance"] for photo in find_similar(own)] == [8]
    found[8].delete()
    assert find_similar(own) == []


@pytest.mark.django_db
@pytest.mark.parametrize("first", range(0, 64, 8))
def test_any_eight_bits_may_differ(first: int, keep: Callable[..., File]) -> None:
    own = keep(HASH)
    bits = random.Random(first).sample(range(64), 8)
    for flipped in (range(first, first + 8), bits):
        other = keep(flip(HASH, *flipped))
        assert [photo["id"] for photo in find_similar(own)] == [other.pk]
        other.delete()


@pytest.mark.django_db
def test_a_deleted_photo_is_similar_to_none_at_once(keep: Callable[..., File], owner: User) -> None:
    own, other = keep(HASH), keep(HASH)
    assert [photo["id"] for photo in find_similar(own)] == [other.pk]
    delete_file(actor=owner, file=other)
    assert find_similar(own) == []


@pytest.mark.django_db
def test_the_same_bytes_are_similar_before_they_are_processed(
    keep: Callable[..., File], receive: Receive
) -> None:
    own = keep(HASH, content=b"twin")
    near = keep(flip(HASH, 3))
    twin = receive(photo() + b"twin", name="twin.jpg")
    expected = [{"id": twin.pk, "name": "twin.jpg", "distance": 0}]
    assert find_similar(own)[:1] == expected
    assert [photo["id"] for photo in find_similar(own)] == [twin.pk, near.pk]
    assert [photo["id"] for photo in find_similar(twin)] == [own.pk]


@pytest.mark.django_db
def test_of_equally_near_photos_the_first_one_uploaded_comes_first(
    keep: Callable[..., File],
) -> None:
    own, late, early = keep(HASH), keep(HASH), keep(HASH)
    File.unscoped.filter(pk=early.pk).update(uploaded_at=own.uploaded_at - timedelta(days=1))
    assert [photo["id"] for photo in find_similar(own)] == [early.pk, late.pk]


@pytest.mark.django_db
def test_of_many_photos_with_one_hash_only_the_first_are_read(keep: Callable[..., File]) -> None:
    own = keep(HASH)
    equal, near = ([keep(phash) for _ in range(7)] for phash in (HASH, flip(HASH, 0)))
    read = {row["pk"] for row in candidates(own)}
    assert read == {file.pk for file in (*equal[:MAX_SIMILAR], *near[:MAX_SIMILAR])}
    assert [photo["id"] for photo in find_similar(own)] == [file.pk for file in equal[:MAX_SIMILAR]]


@pytest.mark.django_db
def test_photos_of_another_client_are_not_named(
    keep: Callable[..., File], finish_upload: FinishUpload
) -> None:
    own = keep(HASH, content=b"twin")
    [accepted] = accept(UserFactory(), finish_upload(photo() + b"twin", name="a.jpg"))
    File.unscoped.filter(pk=accepted.file.pk).update(status="SUCCESS", **split_hash(HASH))
    assert accepted.file.sha256 == own.sha256
    assert find_similar(own) == []


@pytest.mark.django_db
def test_the_hash_of_a_processed_photo_is_kept(
    settle: Receive, use_processors: UseProcessors
) -> None:
    use_processors("timba.files.photos.PROCESSOR")
    files = [settle(photo(picture=picture(1)), name=name) for name in ("a.jpg", "b.jpg")]
    files.append(settle(photo(picture=picture(1), kind="WEBP"), name="c.webp"))
    settle(photo(picture=picture(2)), name="d.jpg")
    own = files[0]
    assert own.result is not None
    assert {name: getattr(own, name) for name in split_hash(HASH)} == split_hash(
        own.result["phash"]
    )
    assert [photo["name"] for photo in find_similar(own)] == ["b.jpg", "c.webp"]


@pytest.mark.django_db
def test_pictures_of_one_colour_do_not_look_the_same(
    settle: Receive, use_processors: UseProcessors
) -> None:
    use_processors("timba.files.photos.PROCESSOR")
    files = [
        settle(photo(picture=Image.new("L", (64, 48), grey), kind="PNG"), name=f"{grey}.png")
        for grey in (64, 128)
    ]
    assert [file.status for file in files] == ["SUCCESS", "SUCCESS"]
    assert find_similar(files[0]) == []


@pytest.mark.only_on("sqlite")
def test_a_hash_is_split_without_loss() -> None:
    parts = split_hash(HASH)
    assert (parts["phash_1"] << 42) | (parts["phash_2"] << 21) | parts["phash_3"] == int(HASH, 16)
    assert set(split_hash("f" * 16).values()) == {2**22 - 1, 2**21 - 1}
