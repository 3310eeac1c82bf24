"""Whether and when to connect again."""

import pytest

from voice_node.session.retry import (
    LONGEST_DELAY_S,
    RATE_LIMIT_S,
    SLOW_S,
    Refusal,
    Retry,
    after_close,
    after_status,
    delay_s,
)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 1015])
def test_an_ordinary_end_is_tried_again_soon(code: int | None) -> None:
    verdict = after_close(code, "")
    assert isinstance(verdict, Retry)
    assert verdict.at_least_s == 0


@pytest.mark.parametrize("code", [1008, 3000, 4000, 4008])
def test_a_close_by_policy_is_tried_again_slowly(code: int) -> None:
    verdict = after_close(code, "policy")
    assert isinstance(verdict, Retry)
    assert verdict.at_least_s == (0 if code == 3000 else SLOW_S)
    assert "policy" in verdict.detail


def test_the_beta_dialect_is_gone_for_good() -> None:
    assert isinstance(after_close(4000, "invalid_request_error.beta_api_shape_disabled"), Refusal)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_only_a_person_can_mend(status: int) -> None:
    verdict = after_status(status, None)
    assert isinstance(verdict, Refusal)
    assert str(status) in verdict.detail


@pytest.mark.parametrize("status", [300, 408, 500, 502, 503, 504, 529])
def test_trouble_passes(status: int) -> None:
    assert isinstance(after_status(status, None), Retry)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("999999", 3600),
        ("9" * 400, 3600),
        (None, RATE_LIMIT_S),
        ("", RATE_LIMIT_S),
        ("soon", RATE_LIMIT_S),
        ("-5", RATE_LIMIT_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", RATE_LIMIT_S),
    ],
)
def test_a_rate_limit_says_when(header: str | None, seconds: float) -> None:
    assert after_status(429, header) == Retry("the service is at its rate limit (HTTP 429)", seconds)


def test_pauses_grow_to_a_bound_and_are_spread() -> None:
    longest = [delay_s(failures, 1.0) for failures in range(12)]
    assert longest == sorted(longest)
    assert longest[0] == 0.25
    assert longest[-1] == delay_s(10**9, 1.0) == LONGEST_DELAY_S
    assert all(delay_s(failures, 0.0) == delay_s(failures, 1.0) / 2 for failures in range(12))
