"""Settings of a Timba in which reading a greedy text takes all the memory there is."""

from timba.config.settings.base import *  # noqa: F403

FILE_PROCESSORS = [
    "tests.files.greedy.PROCESSOR" if name.endswith(".text.PROCESSOR") else name
    for name in FILE_PROCESSORS  # noqa: F405
]
