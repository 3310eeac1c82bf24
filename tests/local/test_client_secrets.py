from voice_node.local.client_secrets import MOST_SECRETS, PREFIX, ClientSecrets


def test_a_secret_is_found_until_it_expires() -> None:
    secrets = ClientSecrets()
    secret = secrets.mint({"type": "realtime"}, 10, 1000.5)
    assert secret.value.startswith(PREFIX)
    assert secret.expires_at == 1010
    for _ in range(2):
        assert secrets.find(secret.value, 1009.9) is secret
    assert secrets.find(secret.value, 1010) is None
    assert secrets.find(secret.value, 1000) is None


def test_no_two_are_the_same_and_none_is_shown() -> None:
    secrets = ClientSecrets()
    one, other = (secrets.mint({}, 10, 0) for _ in range(2))
    assert one.value != other.value
    assert one.value not in repr(one)
    assert secrets.find(f"{PREFIX}0", 0) is None


def test_of_too_many_the_first_to_expire_is_forgotten() -> None:
    secrets = ClientSecrets()
    late = secrets.mint({}, 100, 0)
    soon = secrets.mint({}, 50, 0)
    for _ in range(MOST_SECRETS - 1):
        secrets.mint({}, 100, 0)
    assert secrets.find(soon.value, 0) is None
    assert secrets.find(late.value, 0) is late
