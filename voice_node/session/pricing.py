"""What a response or a transcription costs.

The table is data: USD per million tokens by class, or per minute of sound, with the date on which the source said so.
A model that is not in it is priced as the dearest that is, so that a budget never runs over for want of a price. A
service on this machine or in this home costs nothing.
"""

import re
from dataclasses import dataclass, replace
from datetime import date
from ipaddress import ip_address
from urllib.parse import urlsplit

from voice_node.model.turn import TokenCount
from voice_node.settings.session import SessionSettings

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, or USD per minute of sound."""

    source: str
    day: date
    text_in: float = 0.0
    cached_text_in: float = 0.0
    text_out: float = 0.0
    audio_in: float = 0.0
    cached_audio_in: float = 0.0
    audio_out: float = 0.0
    image_in: float = 0.0
    cached_image_in: float = 0.0
    minute: float = 0.0


_OPENAI = "OpenAI, page of the model"
_SEEN = date(2026, 11, 20)
_LARGE = Price(_OPENAI, _SEEN, 4.00, 0.40, 24.00, 32.00, 0.40, 64.00, 5.00, 0.50)
_SMALL = Price(_OPENAI, _SEEN, 0.60, 0.06, 2.40, 10.00, 0.30, 20.00, 0.80, 0.08)

PRICES = {
    "gpt-realtime-2.1": _LARGE,
    "gpt-realtime-2.1-mini": _SMALL,
    "gpt-realtime-2": _LARGE,
    "gpt-realtime-1.5": Price(_OPENAI, _SEEN, 4.00, 0.40, 16.00, 32.00, 0.40, 64.00, 5.00, 0.50),
    "gpt-realtime": Price(_OPENAI, _SEEN, 4.00, 0.40, 16.00, 32.00, 0.40, 64.00, 5.00, 0.50),
    "gpt-realtime-mini": _SMALL,
    "gpt-live-transcribe": Price(_OPENAI, date(2026, 9, 30), minute=0.017),
    "gpt-realtime-whisper": Price(_OPENAI, date(2026, 9, 30), minute=0.017),
    "gpt-transcribe": Price(_OPENAI, date(2026, 9, 30), minute=0.0045),
    "grok-voice-think-fast-2.0": Price("xAI, as users report it", date(2026, 9, 14), minute=0.08),
    "grok-voice-latest": Price("xAI, as users report it", date(2026, 9, 14), minute=0.08),
}
"""By model; a snapshot, `gpt-realtime-2.1-2026-06-01`, has the price of its model."""

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def price_of(model: str) -> Price | None:
    """The price of `model` or of the model that it is a snapshot of; None where it is not known."""
    return PRICES.get(model) or PRICES.get(_SNAPSHOT.sub("", model))


def usd(model: str, heard: TokenCount, said: TokenCount, seconds: float = 0.0) -> float:
    """What this usage costs; with a model that is not known, what it would cost with the dearest that is."""
    price = price_of(model)
    prices = PRICES.values() if price is None else (price,)
    return max(_cost(one, heard, said, max(0.0, seconds)) for one in prices)


def _cost(price: Price, heard: TokenCount, said: TokenCount, seconds: float) -> float:
    """Cached tokens at their own rate, all others at the full one, sound by the minute.

    Where a model is priced by the minute and the service counts tokens, sound is 10 of them a second heard and 20
    spoken (OpenAI's guide to costs), and text is as dear as anybody's: no usage may seem to cost nothing.
    """
    if price.minute and not seconds:
        seconds = max(0, heard.audio) / 10 + max(0, said.audio) / 20
        heard, said = TokenCount(text=heard.text), TokenCount(text=said.text)
        price = replace(price, text_in=_LARGE.text_in, text_out=_LARGE.text_out)
    tokens = (
        max(0, heard.text - heard.cached_text) * price.text_in
        + heard.cached_text * price.cached_text_in
        + max(0, heard.audio - heard.cached_audio) * price.audio_in
        + heard.cached_audio * price.cached_audio_in
        + max(0, heard.image - heard.cached_image) * price.image_in
        + heard.cached_image * price.cached_image_in
        + said.text * price.text_out
        + said.audio * price.audio_out
    )
    return tokens / MILLION + seconds / 60 * price.minute


def is_free(settings: SessionSettings) -> bool:
    """Whether the service runs in this home: then nobody sends a bill."""
    if settings.provider == "local":
        return True
    if settings.provider != "custom" or settings.url is None:
        return False
    host = urlsplit(settings.url).hostname or ""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".lan", ".home.arpa", ".internal")) or "." not in host
