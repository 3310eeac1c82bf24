"""What usage costs."""

from datetime import date

import pytest

from tests.session.room import settings
from voice_node.model.turn import TokenCount
from voice_node.session.pricing import MILLION, PRICES, is_free, price_of, usd


def test_a_turn_of_a_page_is_priced_by_class() -> None:
    heard = TokenCount(text=1000, audio=600, cached_text=800, cached_audio=100)
    said = TokenCount(text=50, audio=400)
    full = (200 * 4.00 + 800 * 0.40 + 500 * 32.00 + 100 * 0.40 + 50 * 24.00 + 400 * 64.00) / MILLION
    assert usd("gpt-realtime-2.1", heard, said) == pytest.approx(full)


def test_a_minute_heard_and_a_minute_spoken_cost_what_the_service_says() -> None:
    # 10 tokens a second in, 20 a second out: 0.0192 and 0.0768 USD by OpenAI's guide to costs.
    assert usd("gpt-realtime-2.1", TokenCount(audio=600), TokenCount()) == pytest.approx(0.0192)
    assert usd("gpt-realtime-2.1", TokenCount(), TokenCount(audio=1200)) == pytest.approx(0.0768)


def test_images_are_priced() -> None:
    assert usd("gpt-realtime-2.1", TokenCount(image=1000, cached_image=400), TokenCount()) == pytest.approx(
        (600 * 5.00 + 400 * 0.50) / MILLION
    )


def test_transcription_is_priced_by_the_minute() -> None:
    assert usd("gpt-transcribe", TokenCount(), TokenCount(), 60) == pytest.approx(0.0045)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-realtime-2.1-mini-2026-07-01", "gpt-realtime-2.1-mini"),
        ("gpt-realtime-2.1-2026-07-01", "gpt-realtime-2.1"),
        ("grok-voice-latest", "grok-voice-latest"),
    ],
)
def test_a_snapshot_has_the_price_of_its_model(model: str, name: str) -> None:
    assert price_of(model) is PRICES[name]


def test_an_unknown_model_is_the_dearest() -> None:
    tokens = TokenCount(text=100, audio=100), TokenCount(text=100, audio=100)
    dearest = usd("gpt-realtime-9", *tokens)
    assert dearest == max(usd(model, *tokens) for model in PRICES)
    assert usd("whisper-9", TokenCount(), TokenCount(), 60) == max(price.minute for price in PRICES.values())


def test_more_cached_than_heard_is_never_a_credit() -> None:
    assert usd("gpt-realtime-2.1", TokenCount(text=1, cached_text=1000), TokenCount()) >= 0


def test_the_table_says_where_it_is_from() -> None:
    assert all(price.source and price.day <= date(2026, 12, 31) for price in PRICES.values())


@pytest.mark.parametrize(
    ("provider", "url", "free"),
    [
        ("local", None, True),
        ("openai", None, False),
        ("xai", None, False),
        ("openai", "ws://127.0.0.1:9/v1/realtime", False),
        ("custom", "ws://127.0.0.1:8000/v1/realtime", True),
        ("custom", "ws://192.168.1.20:8080/v1/realtime", True),
        ("custom", "ws://speaches.local:8000/v1/realtime", True),
        ("custom", "ws://speaches:8000/v1/realtime", True),
        ("custom", "wss://gateway.example.org/v1/realtime", False),
        ("custom", "wss://8.8.8.8/v1/realtime", False),
    ],
)
def test_a_service_in_this_home_is_free(provider: str, url: str | None, free: bool) -> None:
    assert is_free(settings(provider=provider, url=url)) is free


def test_a_service_cannot_make_anything_cheaper_by_odd_numbers() -> None:
    said = TokenCount(audio=1000)
    assert usd("gpt-realtime-2.1", TokenCount(text=1, cached_text=10**9), said) >= 1000 * 64.00 / MILLION
    assert usd("gpt-transcribe", TokenCount(), TokenCount(), -3600) == 0


def test_a_model_priced_by_the_minute_costs_something_when_the_service_counts_tokens() -> None:
    assert usd("gpt-transcribe", TokenCount(audio=600), TokenCount()) == pytest.approx(0.0045)
    assert usd("grok-voice-latest", TokenCount(audio=300), TokenCount(audio=600)) == pytest.approx(0.08)
    assert usd("grok-voice-latest", TokenCount(text=MILLION), TokenCount()) == pytest.approx(4.00)
