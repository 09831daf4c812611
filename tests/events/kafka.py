"""A Kafka in the test's own process: the mock cluster that librdkafka brings, over real TCP.

It can reject messages and become unavailable on command, which a real broker cannot.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

import confluent_kafka

_PRODUCE: Final = 0
_UNKNOWN_TOPIC: Final = 3
_MESSAGE_TOO_LARGE: Final = 10

_Pointer = ctypes.c_void_p


def _library() -> ctypes.CDLL:
    beside = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(beside.glob("librdkafka*.so*"))))
    signatures = {
        "rd_kafka_conf_new": (_Pointer, []),
        "rd_kafka_new": (_Pointer, [ctypes.c_int, _Pointer, ctypes.c_char_p, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [_Pointer]),
        "rd_kafka_mock_cluster_new": (_Pointer, [_Pointer, ctypes.c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [_Pointer]),
        "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, [_Pointer]),
        "rd_kafka_mock_topic_create": (
            ctypes.c_int,
            [_Pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
        ),
        "rd_kafka_mock_topic_set_error": (None, [_Pointer, ctypes.c_char_p, ctypes.c_int]),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            [_Pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
        ),
        "rd_kafka_mock_broker_set_down": (ctypes.c_int, [_Pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (ctypes.c_int, [_Pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class MockKafka:
    """One broker on a free loopback port."""

    def __init__(self) -> None:
        self._lib = _library()
        reason = ctypes.create_string_buffer(512)
        self._client = self._lib.rd_kafka_new(0, self._lib.rd_kafka_conf_new(), reason, 512)
        assert self._client, reason.value
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._client, 1)
        self.servers: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, name: str, *, partitions: int = 4) -> None:
        assert not self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)

    def reject_topic(self, name: str) -> None:
        """Know no such topic, and do not make it either."""
        self._lib.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), _UNKNOWN_TOPIC)

    def reject_as_too_large(self, *, batches: int) -> None:
        """Refuse the next produce requests, each whole, as brokers do."""
        errors = (ctypes.c_int * batches)(*[_MESSAGE_TOO_LARGE] * batches)
        self._lib.rd_kafka_mock_push_request_errors_array(self._cluster, _PRODUCE, batches, errors)

    def stop(self) -> None:
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def resume(self) -> None:
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)
