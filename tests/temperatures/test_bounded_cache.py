"""Caches are limited by the size of their results, not by their number."""

from __future__ import annotations

from timba.temperatures.bounded_cache import bounded_cache


def test_the_most_recently_used_results_are_cached_up_to_the_limit() -> None:
    computed: list[str] = []

    @bounded_cache(max_bytes=10, size_of=len)
    def text(name: str, *, times: int = 1) -> str:
        computed.append(name)
        return name * times

    for name in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert text(name) == name
    assert computed == ["aaaa", "bbbb", "cccc", "bbbb"]
    assert text.size_bytes == 8
    assert text("a", times=11) == "a" * 11
    assert text("a", times=11) == "a" * 11
    assert computed[4:] == ["a", "a"]
    assert text.size_bytes == 8
    text.cache_clear()
    assert text("bbbb") == "bbbb"
    assert (computed[6:], text.size_bytes) == (["bbbb"], 4)


def test_a_key_of_some_arguments_leaves_out_the_others() -> None:
    @bounded_cache(max_bytes=10, size_of=len, key=lambda _, name: name)
    def text(suffix: str, name: str) -> str:
        return name + suffix

    assert [text("1", "a"), text("2", "a"), text("2", "b")] == ["a1", "a1", "b2"]
