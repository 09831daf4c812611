"""Makes the demo company through the services that its users would use themselves.

Every step looks first whether its work is there, so that a first start that was interrupted is
finished by the next one. Passwords are made for this installation alone; they are kept beside the
data until the last step, and after it, for their owner only.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils import timezone

from timba.accounts.models import Client, Role, User
from timba.accounts.services import add_user, open_client
from timba.consignments.models import Consignment
from timba.consignments.services import add_log, open_consignment
from timba.demo.consignments import LOADS, SHEET_LOAD, SHEET_NAME, tally_sheet
from timba.demo.files import REMARKS, SHOTS, YARDS, gate_note, month_of_readings
from timba.demo.photos import draw_photo
from timba.files.models import File
from timba.files.receiving import Upload, accept_files
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.temperatures.services import name_city_and_invalidate_cache

NAME: Final = "Abava Timber"
_TREES: Final = ("alder", "aspen", "birch", "larch", "maple", "pine", "rowan", "spruce")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody who works there."""

    username: str
    name: str
    role: str
    contact: str


PEOPLE: Final = (
    Person(username="anna", name="Anna Liepa", role="owner", contact="+371 6332 0101"),
    Person(username="ilze", name="Ilze Ozola", role="manager", contact="+371 6332 0102"),
    Person(username="janis", name="Jānis Bērziņš", role="operator", contact="+371 6332 0103"),
    Person(username="karlis", name="Kārlis Vītols", role="viewer", contact="+371 6332 0104"),
)


def is_wanted() -> bool:
    """Whether nothing is there yet, or an interrupted start left the company half made."""
    return _draft().exists() or not Client.unscoped.exists()


def load_company(*, administrator: str) -> str:
    """Make what is missing of the company; return how its people sign in."""
    passwords = _passwords()
    staff = User.unscoped.get(username=administrator)
    client = Client.unscoped.filter(name=NAME).first() or open_client(
        actor=staff,
        name=NAME,
        address="Mežrūpnieku iela 14, Kuldīga, LV-3301, Latvia",
        contact="Anna Liepa",
        email="office@abava-timber.example",
    )
    people = {
        person.role: _person(staff, client, person, passwords[person.username]) for person in PEOPLE
    }
    for yard in YARDS:
        name_city_and_invalidate_cache(
            actor=people["manager"], client=client, city_id=yard.city_id, name=yard.city
        )
    consignments = _consignments(client, people)
    _files(client, people["operator"], consignments)
    _notes(client, people, consignments)
    sign_ins = _table(passwords)
    kept = settings.TIMBA_DATA_DIR / "demo-sign-ins.txt"
    kept.touch(mode=0o600)
    kept.write_text(f"{sign_ins}\n")
    _draft().unlink()
    return f"The people of {NAME} sign in with these (kept in {kept}):\n{sign_ins}"


def _person(staff: User, client: Client, person: Person, password: str) -> User:
    return User.unscoped.filter(username=person.username).first() or add_user(
        actor=staff,
        client=client,
        username=person.username,
        name=person.name,
        contact=person.contact,
        role=Role.unscoped.get(client=None, name=person.role),
        password=password,
    )


def _consignments(client: Client, people: dict[str, User]) -> dict[str, Consignment]:
    """Open each consignment and add the logs it lacks; return them, with their totals, by name."""
    opened = {}
    for load in LOADS:
        consignment = Consignment.unscoped.filter(
            client=client, name=load.name
        ).first() or open_consignment(
            actor=people["manager"],
            client=client,
            name=load.name,
            type=load.type,
            vehicle_number=load.vehicle_number,
            city_id=load.city_id,
        )
        for log in load.logs()[consignment.log_count :]:
            add_log(
                actor=people["operator"],
                consignment=consignment,
                length=log.length,
                breadth=log.breadth,
                height=log.height,
            )
        opened[load.name] = Consignment.unscoped.get(pk=consignment.pk)
    return opened


def _files(client: Client, operator: User, consignments: dict[str, Consignment]) -> None:
    there = set(File.unscoped.live().filter(client=client).values_list("name", flat=True))

    def send(name: str, content: bytes, consignment: Consignment | None = None) -> None:
        upload = Upload(name=name)
        upload.write(content)
        upload.finish()
        upload.identify()
        accept_files(actor=operator, client=client, uploads=[upload], consignment=consignment)

    now = timezone.localtime()
    for yard in YARDS:
        name = f"{yard.city} {now:%Y-%m}.csv"
        if name not in there:
            send(name, month_of_readings(yard, until=now))
    for shot in SHOTS:
        if shot.name not in there:
            send(shot.name, draw_photo(shot.view(now=now)), consignments[shot.load])
    if SHEET_NAME not in there:
        send(SHEET_NAME, tally_sheet(), consignments[SHEET_LOAD])
    newest = consignments[LOADS[-1].name]
    name = f"gate note {newest.name}.txt"
    if name not in there:
        send(name, gate_note(newest, at=now), newest)


def _notes(client: Client, people: dict[str, User], consignments: dict[str, Consignment]) -> None:
    there = set(Note.unscoped.filter(client=client).values_list("title", flat=True))
    for remark in REMARKS:
        if remark.title not in there:
            write_note(
                actor=people[remark.role],
                client=client,
                title=remark.title,
                content=remark.content,
                consignment=consignments[remark.load] if remark.load else None,
            )


def _passwords() -> dict[str, str]:
    """Return each person's password: those that an interrupted start made, else new ones."""
    draft = _draft()
    if draft.exists():
        kept = dict(line.split("\t") for line in draft.read_text().splitlines())
        if len(kept) == len(PEOPLE):
            return kept
    made = {
        person.username: f"{secrets.choice(_TREES)}-{secrets.token_hex(4)}" for person in PEOPLE
    }
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}\t{password}\n" for name, password in made.items()))
    return made


def _table(passwords: dict[str, str]) -> str:
    return "\n".join(
        f"  {person.role:<9} {person.username:<8} {passwords[person.username]:<18} {person.name}"
        for person in PEOPLE
    )


def _draft() -> Path:
    return Path(settings.TIMBA_DATA_DIR / "demo-sign-ins.draft")
