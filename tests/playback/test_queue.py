from hypothesis import given
from hypothesis import strategies as st

from voice_node.playback.queue import PlaybackQueue, Played

MS = b"\1\0" * 24
"""One millisecond at 24 kHz."""


def test_items_are_played_one_after_the_other_and_silence_fills_up() -> None:
    queue = PlaybackQueue()
    queue.push("a", b"\1\0" * 10)
    queue.push("b", b"\2\0" * 10)

    assert queue.pull(60) == b"\1\0" * 10 + b"\2\0" * 10 + b"\0" * 20
    assert queue.is_empty


def test_silence_does_not_count_as_played() -> None:
    queue = PlaybackQueue()
    queue.push("a", MS * 30)
    queue.pull(len(MS) * 100)

    assert queue.played_ms("a") == 30
    assert queue.clear() == Played("a", 30, 0)


def test_clear_says_what_was_handed_out_of_the_item_under_way() -> None:
    queue = PlaybackQueue()
    for item_id in ("a", "b", "c"):
        queue.push(item_id, MS * 100)
        queue.end(item_id)
    queue.pull(len(MS) * 130)

    assert queue.clear() == Played("b", 30, 70)
    assert [queue.played_ms(item_id) for item_id in ("a", "b", "c")] == [100, 30, 0]
    assert queue.is_empty
    assert queue.clear() is None


def test_milliseconds_are_rounded_down() -> None:
    queue = PlaybackQueue()
    queue.push("a", MS * 10)
    queue.pull(2 * len(MS) - 2)

    assert queue.clear() == Played("a", 1, 8)


def test_an_item_that_ended_and_was_played_is_not_under_way() -> None:
    queue = PlaybackQueue()
    queue.push("a", MS)
    queue.end("a")
    queue.pull(len(MS))

    assert queue.clear() is None


def test_an_end_that_comes_after_the_last_sample_counts() -> None:
    queue = PlaybackQueue()
    queue.push("a", MS)
    queue.pull(len(MS) * 2)
    queue.end("a")
    queue.end("never heard of")

    assert queue.clear() is None


def test_an_item_that_ran_dry_gives_way_and_counts_on_when_it_comes_back() -> None:
    queue = PlaybackQueue()
    queue.push("a", MS * 10)
    queue.pull(len(MS) * 20)
    queue.push("b", MS * 10)
    queue.pull(len(MS) * 10)
    queue.push("a", MS * 5)
    queue.pull(len(MS) * 3)

    assert queue.played_ms("a") == 13
    assert queue.clear() == Played("a", 13, 2)


def test_a_piece_that_does_not_fit_is_refused_as_a_whole() -> None:
    queue = PlaybackQueue(capacity_s=0.1)

    assert queue.push("a", MS * 90)
    assert not queue.push("a", MS * 11)
    assert queue.push("a", MS * 10)
    assert queue.queued_ms == 100


def test_half_a_sample_waits_for_the_other_half() -> None:
    queue = PlaybackQueue()
    queue.push("a", b"\1")

    assert queue.is_empty
    assert queue.pull(2) == b"\0\0"
    queue.push("a", b"\2")
    assert queue.pull(2) == b"\1\2"


def test_half_a_sample_at_the_end_of_an_item_is_dropped() -> None:
    queue = PlaybackQueue()
    queue.push("a", b"\1\0\1")
    queue.end("a")
    queue.push("b", b"\2\0")

    assert queue.pull(6) == b"\1\0\2\0\0\0"
    assert queue.queued_ms == 0
    assert queue.clear() == Played("b", 0, 0)


def test_only_the_last_items_are_remembered() -> None:
    queue = PlaybackQueue()
    for n in range(100):
        queue.push(str(n), MS)
        queue.end(str(n))
        queue.pull(len(MS))

    assert queue.played_ms("99") == 1
    assert queue.played_ms("0") == 0


@given(
    pieces=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300)), max_size=30),
    pulls=st.lists(st.integers(0, 150).map(lambda n: 2 * n), max_size=30),
)
def test_whatever_the_sizes_no_sample_is_lost_doubled_or_invented(
    pieces: list[tuple[str, int]], pulls: list[int]
) -> None:
    queue = PlaybackQueue(rate_hz=1000)
    pushed = dict.fromkeys("abc", 0)
    for item_id, n in pieces:
        queue.push(item_id, item_id.encode() * n)
        pushed[item_id] += n
    heard = b""
    for n in pulls:
        pulled = queue.pull(n)
        assert len(pulled) == n
        heard += pulled
    for item_id, n in pushed.items():
        assert heard.count(item_id.encode()) // 2 == queue.played_ms(item_id)
        assert heard.count(item_id.encode()) <= n
    queue.clear()
    assert queue.is_empty
