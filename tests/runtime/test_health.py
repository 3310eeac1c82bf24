"""How the process is."""

import json
import time

from voice_node.runtime.health import Health


def test_facts_of_a_real_process() -> None:
    health = Health({"lost_frames": lambda: 3, "player_problem": lambda: None, "broker": lambda: {"waiting": 0}})
    facts = health.facts()
    assert 5 < facts["rss_mb"] < 2000
    assert facts["uptime_s"] == 0
    assert (facts["lost_frames"], facts["broker"]) == (3, {"waiting": 0})
    assert "player_problem" not in facts
    json.dumps(facts, allow_nan=False)


def test_cpu_is_counted_since_the_last_time() -> None:
    health = Health({})
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    busy = health.facts()["cpu_percent"]
    time.sleep(0.2)
    assert 0 <= health.facts()["cpu_percent"] < busy
