from voice_node.local.rate_limit import RateLimit


def test_a_bucket_empties_and_fills() -> None:
    bucket = RateLimit(limit=3, window_s=30)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert (bucket.remaining, bucket.reset_s) == (0, 30)
    assert not bucket.take(9.9)
    assert bucket.take(10.1)
    assert not bucket.take(5.0)  # a clock that goes back gives nothing
    assert bucket.take(1000.0)
    assert (bucket.remaining, bucket.reset_s) == (2, 10)
