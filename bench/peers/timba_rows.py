"""Creates Timba's tables and rows; prints an access token and the id of a log."""

# ruff: noqa: E402 - Django must be set up before models are imported

from __future__ import annotations

import json
from decimal import Decimal

import django

django.setup()

from django.core.management import call_command

from bench.peers.constant import MEASURES, NOTE
from tests.factories import UserFactory
from tests.temperatures.uploads import settle_readings
from timba.accounts.tokens import issue_tokens
from timba.consignments.logs import add_log
from timba.consignments.services import open_consignment
from timba.notes.services import write_note

call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)
user = UserFactory()
of_user = {"actor": user, "client": user.client}
settle_readings("7,21.50,2025-06-01T12:00:00Z\n7,-3,2025-06-01T13:00:00Z\n", actor=user)
consignment = open_consignment(name="Oak, March", type="hardwood", **of_user)
measures = {name: Decimal(str(value)) for name, value in MEASURES.items()}
for _ in range(20):
    log = add_log(actor=user, consignment=consignment, **measures)
for _ in range(200):
    write_note(consignment=consignment, **NOTE, **of_user)
print(json.dumps({"token": issue_tokens(user=user).access, "log_id": log.pk}))
