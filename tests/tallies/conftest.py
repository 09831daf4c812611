"""Fixtures: a lorry load, whose tally sheets are uploaded and processed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.files.conftest import (  # noqa: F401
    Receive,
    _close_sandbox,
    finish_upload,
    objects,
    owner,
    receive,
    store_folder,
)
from timba.accounts.models import User
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.files.models import File
from timba.files.processing import process_file

Upload = Callable[..., File]


@pytest.fixture
def consignment(owner: User) -> Consignment:
    """Return a lorry load without logs."""
    assert owner.client is not None
    return open_consignment(actor=owner, client=owner.client, name="Lorry 7", type="hardwood")


@pytest.fixture
def wait(receive: Receive, owner: User, consignment: Consignment) -> Upload:
    """Return a function that uploads a tally to a consignment, where it waits to be processed."""

    def send(
        content: bytes | str, *, place: Consignment | None = consignment, by: User = owner
    ) -> File:
        name = "tally.csv" if isinstance(content, str) else "tally.xlsx"
        file = receive(content, name=name, kind="tally")
        File.unscoped.filter(pk=file.pk).update(consignment=place, uploaded_by=by)
        return file

    return send


@pytest.fixture
def upload(wait: Upload) -> Upload:
    """Return a function that uploads and processes a tally."""

    def send(content: bytes | str, **options: Any) -> File:
        file = wait(content, **options)
        assert process_file(file.pk)
        file.refresh_from_db()
        return file

    return send
