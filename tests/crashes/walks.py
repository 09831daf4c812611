"""What is done, and then done again after a crash; each walk can be walked on from anywhere.

`OF_POINT` says on which walk each failpoint lies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.utils import timezone

from tests.crashes.world import World
from tests.files.samples import photo
from timba.failpoints import arm
from timba.files.leases import MAX_ATTEMPTS
from timba.files.models import File
from timba.files.receiving import Upload

READINGS = (
    b"city_id,temperature,timestamp\n"
    b"42,1.00,2026-11-01T00:00:00Z\n42,hot,2026-11-01\n42,2.01,2026-11-02T00:00:00Z\n"
    b"7,-3.50,2026-11-01T00:00:00Z\n"
)
STATISTICS = {"count": 2, "min_temp": 1.0, "max_temp": 2.01, "mean_temp": 1.51}
HOPELESS = b"city_id,temperature,timestamp\n42,hot,2026-11-01\n"
# Two parts of S3's, ten of a request's chunks.
LARGE = b"larch, 62 logs, seal intact\n" * (9 * 1024 * 1024 // 28)
TEXT = b"Seal 88412 intact.\n"
TRASH_TIME = timedelta(days=8)
READINGS_DOOR = "/upload/"


def text(world: World) -> None:
    """Send one small file, which loses its bell."""
    world.upload("text", "gate.txt", TEXT)
    world.wait(timedelta(minutes=1))
    world.sweep()
    world.work()
    world.relay()


def readings(world: World) -> None:
    """Send readings, and by another request the very same ones."""
    world.upload("readings", "yard.csv", READINGS, door=READINGS_DOOR)
    world.upload("twin", "yard again.csv", READINGS, door=READINGS_DOOR)
    world.work()
    world.relay()


def large(world: World) -> None:
    world.upload("large", "log book.txt", LARGE)
    world.work()
    world.relay()


def picture(world: World) -> None:
    """Send what only the sandbox may read."""
    world.upload("picture", "load.jpg", photo((640, 480)))
    world.work()
    world.relay()


def again(world: World) -> None:
    """Try a failure again."""
    file_id = world.upload("hopeless", "hopeless.csv", HOPELESS, door=READINGS_DOOR)
    world.work()
    world.retry("again", file_id)
    world.work()
    world.relay()


def trash(world: World) -> None:
    """Delete readings, and wait until they are erased."""
    file_id = world.upload("deleted", "yard.csv", READINGS, door=READINGS_DOOR)
    world.work()
    world.delete("delete", file_id)
    world.wait(TRASH_TIME)
    world.sweep()
    world.relay()


def debris(world: World) -> None:
    """Sweep what `leave_debris` left."""
    world.wait(timedelta(hours=2))
    world.work()
    world.sweep()
    world.relay()


def leave_debris(world: World) -> None:
    """Leave two uploads, a file whose workers were lost, and a run's debris; end in a crash."""
    begun = Upload(name="begun.txt")
    begun.write(LARGE)
    complete = Upload(name="complete.txt")
    complete.write(TEXT)
    complete.finish()
    lost = world.upload("lost", "lost.txt", TEXT)
    File.unscoped.filter(pk=lost).update(attempts=MAX_ATTEMPTS, lease_until=timezone.now())
    world.upload("readings", "yard.csv", READINGS, door=READINGS_DOOR)
    arm("temperatures.staged=exit")
    world.work()


WALKS: Mapping[str, Callable[[World], None]] = {
    walk.__name__: walk for walk in (text, readings, large, picture, again, trash, debris)
}
OF_POINT: Mapping[str, str] = {
    "idempotency.key_reserved": "text",
    "idempotency.effect_written": "text",
    "idempotency.response_committed": "readings",
    "receiving.intent_committed": "text",
    "receiving.partly_written": "large",
    "receiving.object_stored": "text",
    "receiving.pending_written": "readings",
    "receiving.event_written": "readings",
    "receiving.object_deleted": "readings",
    "tasks.notification_due": "text",
    "storage.opened": "readings",
    "storage.written": "readings",
    "storage.synced": "readings",
    "storage.linked": "readings",
    "storage.in_place": "readings",
    "storage.erased": "debris",
    "s3.object_put": "readings",
    "s3.multipart_created": "large",
    "s3.part_sent": "large",
    "s3.multipart_completed": "large",
    "s3.erased": "debris",
    "s3.parts_listed": "debris",
    "processing.claimed": "readings",
    "processing.derivative_named": "readings",
    "processing.derivative_begun": "readings",
    "processing.read": "readings",
    "processing.recorded": "debris",
    "processing.event_written": "debris",
    "processing.settled": "readings",
    "sandbox.child_started": "picture",
    "sandbox.copied": "picture",
    "sandbox.request_sent": "picture",
    "temperatures.staged": "readings",
    "services.retry_written": "again",
    "services.tombstone_written": "trash",
    "sweeping.upload_abandoned": "debris",
    "sweeping.upload_purged": "debris",
    "sweeping.run_purged": "debris",
    "sweeping.totals_discarded": "debris",
    "sweeping.derivatives_erased": "trash",
    "sweeping.original_erased": "trash",
    "sweeping.notifications_recorded": "text",
    "outbox.numbered": "readings",
    "relay.delivered": "text",
    "relay.marked": "text",
}
