"""Creates the demo company through the same services that its users call.

Every step is skipped if its result exists, so that the next start completes an interrupted one.
The passwords are random. They are stored in the data folder, readable by its owner only.
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
from timba.consignments.logs import add_log
from timba.consignments.models import Consignment
from timba.consignments.services import open_consignment
from timba.demo.consignments import LOADS, SHEET_LOAD, SHEET_NAME, tally_sheet
from timba.demo.drawing import draw_photo
from timba.demo.files import NOTES, PHOTOS, YARDS, gate_note, season_of_readings
from timba.files.models import File
from timba.files.receiving import Upload, accept_files
from timba.notes.models import Note
from timba.notes.services import write_note
from timba.places.services import name_city

NAME: Final = "Abava Timber"
_TREES: Final = ("alder", "aspen", "birch", "larch", "maple", "pine", "rowan", "spruce")


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A user of the demo company."""

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


def should_load() -> bool:
    """Whether there is no client yet, or an earlier start was interrupted."""
    return _draft_path().exists() or not Client.unscoped.exists()


def load_company(*, administrator: str) -> str:
    """Create what is missing of the company; return a text with the passwords of its users."""
    passwords = _get_or_create_passwords()
    staff = User.unscoped.get(username=administrator)
    client = Client.unscoped.filter(name=NAME).first() or open_client(
        actor=staff,
        name=NAME,
        address="Mežrūpnieku iela 14, Kuldīga, LV-3301, Latvia",
        contact="Anna Liepa",
        email="office@abava-timber.example",
        time_zone="Europe/Riga",
    )
    people = {
        person.role: _get_or_add_user(staff, client, person, passwords[person.username])
        for person in PEOPLE
    }
    for yard in YARDS:
        name_city(actor=people["manager"], client=client, city_id=yard.city_id, name=yard.city)
    consignments = _open_consignments(client, people)
    _upload_files(client, people["operator"], consignments)
    _write_notes(client, people, consignments)
    sign_ins = _format_sign_ins(passwords)
    path = settings.TIMBA_DATA_DIR / "demo-sign-ins.txt"
    path.touch(mode=0o600)
    path.write_text(f"{sign_ins}\n")
    _draft_path().unlink()
    return f"The people of {NAME} sign in with these (kept in {path}):\n{sign_ins}"


def _get_or_add_user(staff: User, client: Client, person: Person, password: str) -> User:
    return User.unscoped.filter(username=person.username).first() or add_user(
        actor=staff,
        client=client,
        username=person.username,
        name=person.name,
        contact=person.contact,
        role=Role.unscoped.get(client=None, name=person.role),
        password=password,
    )


def _open_consignments(client: Client, people: dict[str, User]) -> dict[str, Consignment]:
    """Open missing consignments and add missing logs; return the consignments by name."""
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


def _upload_files(client: Client, operator: User, consignments: dict[str, Consignment]) -> None:
    existing = set(File.unscoped.live().filter(client=client).values_list("name", flat=True))

    def send(name: str, content: bytes, consignment: Consignment | None = None) -> None:
        upload = Upload(name=name)
        upload.write(content)
        upload.finish()
        upload.identify()
        accept_files(actor=operator, client=client, uploads=[upload], consignment=consignment)

    now = timezone.localtime()
    for yard in YARDS:
        name = f"{yard.city} to {now:%Y-%m}.csv"
        if name not in existing:
            send(name, season_of_readings(yard, until=now))
    for photo in PHOTOS:
        if photo.name not in existing:
            send(photo.name, draw_photo(photo.scene(now=now)), consignments[photo.load])
    if SHEET_NAME not in existing:
        send(SHEET_NAME, tally_sheet(), consignments[SHEET_LOAD])
    newest = consignments[LOADS[-1].name]
    name = f"gate note {newest.name}.txt"
    if name not in existing:
        send(name, gate_note(newest, at=now), newest)


def _write_notes(
    client: Client, people: dict[str, User], consignments: dict[str, Consignment]
) -> None:
    existing = set(Note.unscoped.filter(client=client).values_list("title", flat=True))
    for note in NOTES:
        if note.title not in existing:
            write_note(
                actor=people[note.role],
                client=client,
                title=note.title,
                content=note.content,
                consignment=consignments[note.load] if note.load else None,
            )


def _get_or_create_passwords() -> dict[str, str]:
    """Return the passwords by username: those of an interrupted start, else new ones."""
    draft = _draft_path()
    if draft.exists():
        passwords = dict(line.split("\t") for line in draft.read_text().splitlines())
        if len(passwords) == len(PEOPLE):
            return passwords
    passwords = {
        person.username: f"{secrets.choice(_TREES)}-{secrets.token_hex(4)}" for person in PEOPLE
    }
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}\t{password}\n" for name, password in passwords.items()))
    return passwords


def _format_sign_ins(passwords: dict[str, str]) -> str:
    return "\n".join(
        f"  {person.role:<9} {person.username:<8} {passwords[person.username]:<18} {person.name}"
        for person in PEOPLE
    )


def _draft_path() -> Path:
    return Path(settings.TIMBA_DATA_DIR / "demo-sign-ins.draft")
