import pytest

from tests.packaging.wheels import is_pure, name_of, shown


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("click>=8.1", "click"), ("ruamel.yaml>=0.18", "ruamel-yaml"), ("paho-mqtt>=2.1,<3", "paho-mqtt"), ("A_b", "a-b")],
)
def test_names_are_compared_as_the_registry_does(requirement: str, name: str) -> None:
    assert name_of(requirement) == name


def test_a_wheel_is_shown_with_what_it_was_built_for() -> None:
    wheel = "numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl"
    assert shown(wheel) == "2.4.6, manylinux_2_27_aarch64"
    assert not is_pure(wheel)
    assert is_pure("click-8.1-py3-none-any.whl")
    assert shown(None) == "none"
