"""What the router passes on between this room's ear and the other rooms."""

import itertools
from datetime import UTC, datetime

from voice_node.model.command import RoomClaims
from voice_node.model.control import HearClaim
from voice_node.model.moment import Moment
from voice_node.model.report import Claim, EventType, Happening, State
from voice_node.model.turn import ClaimMade, TurnYielded
from voice_node.router.costs import Costs
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning
from voice_node.settings.schema import RoomSettings

NOW = Moment(100.0, datetime(2026, 11, 20, tzinfo=UTC))


def router() -> Router:
    settings, numbers = RoomSettings(room="kitchen"), itertools.count(1)
    costs = Costs(settings.budget, NOW.day, None)
    made = Router(Tuning(settings, {}), lambda: f"t{next(numbers)}", {}, costs=costs, is_muted=False)
    made.started(NOW)
    return made


def test_a_claim_goes_out_and_the_claims_of_all_go_to_the_ear() -> None:
    assert router().outcome(ClaimMade("ab-1", "bedroom"), NOW) == [Claim("ab-1", "bedroom")]
    assert router().command(RoomClaims("bedroom", "cd-1", None), NOW) == [HearClaim("bedroom", "cd-1", None)]


def test_who_lost_says_who_won_and_does_nothing_else() -> None:
    told = router().outcome(TurnYielded("bedroom", "t7"), NOW)
    assert told == [Happening(EventType.YIELDED, {"to": "bedroom"}, "t7")]
    assert not any(isinstance(one, State) for one in told)
