"""What an installation does when it crashes; each scenario can be resumed from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from django.utils import timezone

from tests.crashes.harness import Installation
from tests.files.samples import photo
from timba.failpoints import arm
from timba.files.leases import MAX_ATTEMPTS
from timba.files.models import File
from timba.files.receiving import Upload

READINGS: Final = (
    b"city_id,temperature,timestamp\n"
    b"42,1.00,2026-11-01T00:00:00Z\n42,hot,2026-11-01\n42,2.01,2026-11-02T00:00:00Z\n"
    b"7,-3.50,2026-11-01T00:00:00Z\n"
)
STATISTICS: Final = {"count": 2, "min_temp": 1.0, "max_temp": 2.01, "mean_temp": 1.51}
HOPELESS: Final = b"city_id,temperature,timestamp\n42,hot,2026-11-01\n"
TEXT: Final = b"Seal 88412 intact.\n"
# Two parts of an S3 upload, ten chunks of a request.
LARGE: Final = b"larch, 62 logs, seal intact\n" * (9 * 1024 * 1024 // 28)
_UNTIL_ERASED: Final = timedelta(days=8)  # past TIMBA_TRASH_DAYS


def upload_text(site: Installation) -> None:
    """Upload a small file whose notification is lost."""
    site.upload("text", "gate.txt", TEXT)
    site.wait(timedelta(minutes=1))
    site.sweep()
    site.work()
    site.relay()


def upload_readings(site: Installation) -> None:
    """Upload readings, and the same bytes again by another request."""
    site.upload("readings", "yard.csv", READINGS, url="/upload/")
    site.upload("twin", "yard again.csv", READINGS, url="/upload/")
    site.work()
    site.relay()


def upload_large_file(site: Installation) -> None:
    site.upload("large", "log book.txt", LARGE)
    site.work()
    site.relay()


def upload_photo(site: Installation) -> None:
    """Upload what is read in the sandbox only."""
    site.upload("photo", "load.jpg", photo((640, 480)))
    site.work()
    site.relay()


def retry_failure(site: Installation) -> None:
    file_id = site.upload("hopeless", "hopeless.csv", HOPELESS, url="/upload/")
    site.work()
    site.retry("retry", file_id)
    site.work()
    site.relay()


def delete_file(site: Installation) -> None:
    """Delete readings, and wait until they are erased."""
    file_id = site.upload("deleted", "yard.csv", READINGS, url="/upload/")
    site.work()
    site.delete("delete", file_id)
    site.wait(_UNTIL_ERASED)
    site.sweep()
    site.relay()


def sweep_leftovers(site: Installation) -> None:
    """Remove what `leave_leftovers` left behind."""
    site.wait(timedelta(hours=2))
    site.work()
    site.sweep()
    site.relay()


def leave_leftovers(site: Installation) -> None:
    """Leave two unaccepted uploads, a file whose workers died, and a dead run; end in a crash."""
    unfinished = Upload(name="unfinished.txt")
    unfinished.write(LARGE)
    finished = Upload(name="finished.txt")
    finished.write(TEXT)
    finished.finish()
    lost = site.upload("lost", "lost.txt", TEXT)
    File.unscoped.filter(pk=lost).update(attempts=MAX_ATTEMPTS, lease_until=timezone.now())
    site.upload("readings", "yard.csv", READINGS, url="/upload/")
    arm("temperatures.staged=exit")
    site.work()


SCENARIOS: Final[Mapping[str, Callable[[Installation], None]]] = {
    scenario.__name__: scenario
    for scenario in (
        *(upload_text, upload_readings, upload_large_file, upload_photo),
        *(retry_failure, delete_file, sweep_leftovers),
    )
}
