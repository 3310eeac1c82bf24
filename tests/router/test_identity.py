from voice_node.router.identity import identity


def test_the_order_of_arguments_makes_no_difference_and_their_types_do() -> None:
    assert identity("a", {"x": 1, "y": {"b": 1, "a": 2}}) == identity("a", {"y": {"a": 2, "b": 1}, "x": 1})
    others = [identity("a", {"x": 1}), identity("b", {"x": 1}), identity("a", {"x": "1"}), identity("a", {"x": True})]
    assert len(set(others)) == 4
