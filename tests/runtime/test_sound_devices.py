import pytest

from voice_node.runtime.sound_devices import Device, DeviceMissing, Direction, choose_device


def card(index: int, name: str, inputs: int = 1, outputs: int = 0, default: bool = False) -> Device:
    return Device(index, name, inputs, outputs, 44100, default and inputs > 0, default and outputs > 0)


PI = [
    card(0, "bcm2835 Headphones: - (hw:0,0)", 0, 8),
    card(1, "USB PnP Sound Device: Audio (hw:1,0)"),
    card(2, "USB PnP Sound Device: Audio #1 (hw:1,1)"),
    card(3, "seeed-4mic-voicecard: - (hw:3,0)", 4),
    card(4, "sysdefault", 128, 128),
    card(5, "pulse", 32, 32),
    card(6, "default", 32, 32, default=True),
]
"""What a Pi with two cards has in PortAudio's list."""
ON_SERVER = {"input": ["alsa_input.usb-C-Media-00.mono", "echo-cancel"], "output": ["alsa_output.headphones"]}
CARD_IDS = {"Device": "1", "seeed4micvoicec": "3"}


def choose(
    wanted: int | str, direction: Direction = "input", devices: list[Device] = PI, known_as: str | None = None
) -> Device:
    return choose_device(
        devices, wanted, direction, ON_SERVER.__getitem__, lambda name: CARD_IDS.get(name, name), known_as
    )


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (3, 3), ("default", 6), ("seeed", 3), ("SEEED-4MIC", 3), ("usb pnp sound device: audio (hw:1,0)", 1),
        ("hw:1,0", 1), ("hw:1", 1), ("hw:1,1", 2), ("hw:3,0", 3), ("hw:CARD=seeed4micvoicec,DEV=0", 3),
        ("hw:CARD=seeed4micvoicec", 3), ("hw:Device,1", 2), ("audio #1", 2), ("pulse", 5),
    ],
)  # fmt: skip
def test_a_device_is_meant(wanted: int | str, index: int) -> None:
    found = choose(wanted)

    assert (found.index, found.server_name, found.is_converted) == (index, None, False)


def test_plughw_is_the_same_card_with_conversion() -> None:
    found = choose("plughw:1,0")

    assert (found.index, found.is_converted) == (1, True)


@pytest.mark.parametrize("wanted", ["pulse:echo-cancel", "echo-cancel", "echo-c"])
def test_a_name_of_pulseaudio_goes_through_its_device(wanted: str) -> None:
    found = choose(wanted)

    assert (found.index, found.name, found.server_name) == (5, "pulse:echo-cancel", "echo-cancel")


def test_a_name_that_pulseaudio_does_not_know_yet_is_tried() -> None:
    assert choose("pulse:plugged.in.later").server_name == "plugged.in.later"


def test_an_alsa_name_goes_before_a_name_of_pulseaudio() -> None:
    assert choose("headphones", "output").name == "bcm2835 Headphones: - (hw:0,0)"


@pytest.mark.parametrize("wanted", ["usb", "Audio"])
def test_a_part_that_fits_several_is_refused_with_their_names(wanted: str) -> None:
    with pytest.raises(DeviceMissing) as caught:
        choose(wanted)

    assert str(caught.value) == (
        f"{wanted!r} fits several input devices, write more of the name: "
        "1 'USB PnP Sound Device: Audio (hw:1,0)', 2 'USB PnP Sound Device: Audio #1 (hw:1,1)'"
    )


@pytest.mark.parametrize("wanted", ["nonsense", "hw:7,0", "plughw:1,5", "hw:CARD=nobody", 0, 99])
def test_a_missing_device_is_named_with_what_is_there(wanted: int | str) -> None:
    with pytest.raises(DeviceMissing) as caught:
        choose(wanted)

    assert str(caught.value).startswith(f"there is no input device {wanted!r}; there are: 1 'USB PnP Sound Device")
    assert "bcm2835" not in str(caught.value)
    assert ("pulse:echo-cancel" in str(caught.value)) is isinstance(wanted, str)


def test_without_the_way_to_pulseaudio_its_names_help_nothing() -> None:
    with pytest.raises(DeviceMissing, match="libasound2-plugins"):
        choose("pulse:echo-cancel", devices=PI[:5])


def test_who_was_chosen_by_its_index_is_found_again_under_another() -> None:
    moved = [card(0, "bcm2835 Headphones: - (hw:0,0)", 0, 8), card(1, "seeed-4mic-voicecard: - (hw:1,0)", 4)]

    assert choose(3).card_name == "seeed-4mic-voicecard: -"
    assert choose(3, devices=moved, known_as="seeed-4mic-voicecard: -").index == 1
    assert choose(1, devices=moved, known_as="seeed-4mic-voicecard: -").index == 1
    with pytest.raises(DeviceMissing):
        choose(1, devices=moved, known_as="USB PnP Sound Device: Audio")
