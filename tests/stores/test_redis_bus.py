"""Two processes' buses over a real Redis: told once each, through a restart, and past a broken message."""

from __future__ import annotations

import pytest
import redis

from callcenter.bus import RedisBus
from callcenter.nudges import AgentChanged, CallChanged
from tests.waiting import wait_until

RINGING = CallChanged(call_id="tel-1.1", state="ringing", queue="repair", agent="1001")


@pytest.fixture
def two_buses(redis_server):
    cti, desk = RedisBus(redis_server.url), RedisBus(redis_server.url)
    yield cti, desk
    cti.close()
    desk.close()


def test_what_one_publishes_both_hear_once(two_buses):
    cti, desk = two_buses
    at_cti, at_desk = [], []
    cti.listen(at_cti.append)
    desk.listen(at_desk.append)
    cti.publish(RINGING)
    last = AgentChanged(agent="1001", status="available", state="ringing")
    desk.publish(last)
    wait_until(lambda: len(at_desk) == 2 and len(at_cti) == 2, what="both heard both")
    assert at_cti == [RINGING, last]
    assert sorted(map(str, at_desk)) == sorted(map(str, [RINGING, last]))


def test_a_message_of_another_version_is_skipped_and_the_next_one_heard(two_buses, redis_server):
    cti, desk = two_buses
    heard = []
    desk.listen(heard.append)
    client = redis.Redis.from_url(redis_server.url)
    client.xadd(RedisBus.STREAM, {"from": "other", "type": "NeverHeardOf", "payload": "{}"})
    client.xadd(RedisBus.STREAM, {"from": "other", "type": "CallChanged", "payload": "{broken"})
    client.xadd(RedisBus.STREAM, {"from": "other", "type": "CallChanged", "payload": '{"no_such_field": 1}'})
    client.close()
    cti.publish(RINGING)
    wait_until(lambda: heard == [RINGING], what="the good message")


def test_redis_that_comes_back_empty_is_used_again(two_buses, redis_server, caplog):
    cti, desk = two_buses
    heard = []
    desk.listen(heard.append)
    redis_server.stop()
    assert not cti.reachable()
    redis_server.start()

    def heard_again() -> bool:
        cti.publish(RINGING)
        return bool(heard)

    wait_until(heard_again, seconds=15, what="the bus after Redis came back")
    said = [record.getMessage().partition(",")[0] for record in caplog.records]
    assert said.count("Redis is not there") <= 2  # each bus says it once, however long it lasts
    assert "Redis is there again" in said
