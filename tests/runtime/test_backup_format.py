"""Which models a backup holds, and that every value comes back as it was."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from django.apps import apps
from django.core.management import CommandError

from timba.runtime.backup_format import (
    BACKED_UP,
    LEFT_OUT,
    BackupFolder,
    Manifest,
    ObjectsFile,
)


def test_every_model_is_backed_up_or_left_out_for_a_reason() -> None:
    labels = {model._meta.label_lower for model in apps.get_models(include_auto_created=True)}
    assert set(BACKED_UP) | LEFT_OUT.keys() == labels
    assert set(BACKED_UP) & LEFT_OUT.keys() == set()


def test_every_model_comes_after_those_that_it_refers_to() -> None:
    seen: set[str] = set()
    for label in BACKED_UP:
        fields = apps.get_model(label)._meta.concrete_fields
        related = [field.related_model for field in fields if field.related_model is not None]
        assert {model._meta.label_lower for model in related} <= seen | {label}
        seen.add(label)


def test_the_objects_of_every_storage_key_are_copied() -> None:
    """A new model with objects of its own has to be added to `_named_objects`, and to fsck."""
    keys = {
        f"{model._meta.label_lower}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.endswith("storage_key")
    }
    assert keys == {"files.file.storage_key", "files.derivative.storage_key"}


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"{", "unexpected end"),
        (b'{"format": 2}', "the format 2"),
        (b"{}", "'format'"),
        (b'{"format": 1, "sha256": "44136fa3", "version": "0.2.0"}', "another SHA-256"),
    ],
)
def test_a_manifest_that_is_damaged_or_of_another_format_is_refused(
    manifest: bytes, reason: str, tmp_path: Path
) -> None:
    folder = BackupFolder(tmp_path)
    path = folder.snapshot("20261129T093000Z")
    path.mkdir(parents=True)
    (path / "manifest.json").write_bytes(manifest)
    with pytest.raises(CommandError, match=f"no manifest that this Timba can read .*{reason}"):
        folder.manifest("20261129T093000Z")


def test_a_manifest_of_a_first_backup_has_no_hash_of_itself() -> None:
    manifest = Manifest(
        version="0.1.0",
        taken_at="2026-11-29T09:30:00Z",
        database="sqlite",
        migrations=[],
        rows=[],
        objects=ObjectsFile(path="objects.jsonl.gz", count=0, bytes=0, sha256=""),
    )
    fields = orjson.loads(manifest.dumps())
    del fields["sha256"]
    assert Manifest.loads(orjson.dumps(fields)) == Manifest.loads(manifest.dumps()) == manifest
