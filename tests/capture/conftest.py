from tests.fakes.sound_card import new_patience, sound_card

__all__ = ["new_patience", "sound_card"]
