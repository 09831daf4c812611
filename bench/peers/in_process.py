"""Calls an application in one thread, without a web server; started by `bench/web.py`.

    python bench/peers/in_process.py FILE < requests

Each line of input is `{"path", "headers", "calls"}`; the output is the processor time in
microseconds of one of these calls.
"""

from __future__ import annotations

import json
import runpy
import sys
import time

from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

runpy.run_path(sys.argv[1], run_name="application")
handler = WSGIHandler()
for line in sys.stdin:
    request = json.loads(line)
    headers = {f"HTTP_{name.upper()}": value for name, value in request["headers"].items()}
    environ = RequestFactory(SERVER_NAME="127.0.0.1").get(request["path"], **headers).environ
    started = time.process_time()
    for _ in range(request["calls"]):
        response = handler(environ.copy(), lambda *_: None)
        body = b"".join(response)
        response.close()
    print((time.process_time() - started) / request["calls"] * 1e6, flush=True)
    assert response.status_code == 200, body
