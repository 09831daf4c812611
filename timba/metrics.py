"""The metrics that processes count where things happen; `/metrics` adds up those of all processes.

Labels have few values: an endpoint is the pattern of its URL, never a path that somebody sent.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

from timba.metric_files import share_metrics

share_metrics()

REQUESTS: Final = Counter(
    "timba_requests",
    "Requests by endpoint, method and class of the status, such as 2xx.",
    ["endpoint", "method", "status"],
)
REQUEST_SECONDS: Final = Histogram(
    "timba_request_seconds",
    "Seconds until the response of an endpoint began.",
    ["endpoint"],
    buckets=(0.05, 0.25, 1, 5, 30),
)
FILE_SECONDS: Final = Histogram(
    "timba_file_seconds",
    "Seconds of reading a file, by its kind and outcome.",
    ["kind", "status"],
    buckets=(0.1, 0.5, 2, 10, 60, 300, 1800),
)
SANDBOX_KILLS: Final = Counter(
    "timba_sandbox_kills",
    "Sandbox processes that ended before they had read their file, by reason.",
    ["reason"],
)
SIGN_IN_REFUSALS: Final = Counter(
    "timba_sign_in_refusals", "Sign-ins that were refused, by reason.", ["reason"]
)
