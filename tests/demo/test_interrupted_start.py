"""A first start of the demo that is interrupted is completed by the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from timba.accounts.models import User
from timba.accounts.services import create_administrator
from timba.demo import company
from timba.demo.files import PHOTOS
from timba.events.models import OutboxEvent


def test_the_next_start_completes_an_interrupted_one(
    db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIMBA_DATA_DIR = tmp_path
    create_administrator(username="admin", password="admin")

    def power_cut(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(company, "PHOTOS", PHOTOS[:1])
    with monkeypatch.context() as cut:
        cut.setattr(company, "_write_notes", power_cut)
        with pytest.raises(KeyboardInterrupt):
            company.load_company(administrator="admin")
    before = OutboxEvent.objects.count()
    assert company.should_load()
    message = company.load_company(administrator="admin")
    assert OutboxEvent.objects.count() == before + 4, "only the four notes were missing"
    owner = User.unscoped.get(username="anna")
    assert owner.check_password(message.split("anna")[1].split()[0])
