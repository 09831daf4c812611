"""A shared cache that is away, or silent, is found out within a second or so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings
from redis.exceptions import RedisError

from tests.own_servers import OwnServer, note_calls
from timba.config.env import env, with_timeouts
from tools.servers.redis import Redis

Harm = Callable[[OwnServer], None]


@pytest.fixture(scope="module")
def redis() -> Iterator[OwnServer]:
    with OwnServer(Redis()) as own:
        yield own


@pytest.fixture
def cached(redis: OwnServer, settings: Settings) -> None:
    """Let the cache be that Redis, as CACHE_URL would have it."""
    url = redis.variables()["CACHE_URL"]
    settings.CACHES = {"default": with_timeouts(env.cache_url_config(url))}


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize(
    ("harm", "mend"),
    [(OwnServer.kill, OwnServer.start), (OwnServer.freeze, OwnServer.thaw)],
    ids=["killed", "silent"],
)
def test_a_cache_that_is_away_is_tried_once_a_look(
    redis: OwnServer, monkeypatch: pytest.MonkeyPatch, harm: Harm, mend: Harm
) -> None:
    cache.set("kept", 7)
    assert cache.get("kept") == 7
    harm(redis)
    try:
        with monkeypatch.context() as watched:
            called = note_calls(watched)
            with pytest.raises(RedisError):
                cache.get("kept")
    finally:
        mend(redis)
    assert len(called) <= 1, called
    cache.set("kept", 8)
    assert cache.get("kept") == 8


def test_other_caches_are_as_they_were() -> None:
    table = env.cache_url_config("dbcache://cache_table")
    assert with_timeouts(table) == table
