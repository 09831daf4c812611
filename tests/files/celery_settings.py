"""Settings in which reading a text raises MemoryError where its name says so."""

from timba.config.settings.base import *  # noqa: F403

FILE_PROCESSORS = [
    "tests.files.resource_hogs.PROCESSOR" if name.endswith(".text.PROCESSOR") else name
    for name in FILE_PROCESSORS  # noqa: F405
]
