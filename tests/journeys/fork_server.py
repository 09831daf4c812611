"""Forks an embedded worker for each line read from standard input, for a test that kills many.

Loading Timba takes seconds: the fork server does it once. It prints the pid of each worker.
"""

from __future__ import annotations

import os
import signal
import sys

import django
from django.core.management import call_command

django.setup()
# The kernel reaps ended workers; nothing needs their exit codes.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        call_command("work")
        os._exit(0)
    print(pid, flush=True)
