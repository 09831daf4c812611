"""A shared cache that is down or unresponsive is detected within about a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings
from redis.exceptions import RedisError

from tests.servers import DedicatedServer, record_connections
from timba.config.env import env, with_timeouts
from tools.servers.databases import Redis

Action = Callable[[DedicatedServer], None]


@pytest.fixture(scope="module")
def redis() -> Iterator[DedicatedServer]:
    with DedicatedServer(Redis()) as own:
        yield own


@pytest.fixture
def cached(redis: DedicatedServer, settings: Settings) -> None:
    """Configure that Redis as the cache, as CACHE_URL would."""
    url = redis.variables()["CACHE_URL"]
    settings.CACHES = {"default": with_timeouts(env.cache_url_config(url))}


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize(
    ("disable", "restore"),
    [
        (DedicatedServer.kill, DedicatedServer.start),
        (DedicatedServer.pause, DedicatedServer.resume),
    ],
    ids=["killed", "unresponsive"],
)
def test_an_unavailable_cache_is_tried_once_per_access(
    redis: DedicatedServer, monkeypatch: pytest.MonkeyPatch, disable: Action, restore: Action
) -> None:
    cache.set("key", 7)
    assert cache.get("key") == 7
    disable(redis)
    try:
        with monkeypatch.context() as patch:
            called = record_connections(patch)
            with pytest.raises(RedisError):
                cache.get("key")
    finally:
        restore(redis)
    assert len(called) <= 1, called
    cache.set("key", 8)
    assert cache.get("key") == 8


def test_other_caches_are_unchanged() -> None:
    table = env.cache_url_config("dbcache://cache_table")
    assert with_timeouts(table) == table
