from tests.fakes.sound_card import sound_card

__all__ = ["sound_card"]
