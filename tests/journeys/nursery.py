"""Starts embedded workers in a blink, for a test that kills many: each line read starts one.

Loading Timba takes seconds; it is done once here, and each worker is a process forked from that,
with nothing else in common. Its pid is printed.
"""

from __future__ import annotations

import os
import signal
import sys

import django
from django.core.management import call_command

django.setup()
# Nobody asks how a worker ended.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        call_command("work")
        os._exit(0)
    print(pid, flush=True)
