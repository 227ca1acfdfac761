"""What the switch's queues should be, and the actions that make them so."""

from __future__ import annotations

import pytest

from cti.places import Place, found_places, repairs, wished
from cti.wire import Message


@pytest.mark.parametrize(
    ("status", "reason", "state", "reachable", "place"),
    [
        ("available", "", "idle", True, Place(2)),
        ("available", "", "ringing", True, Place(2)),
        ("available", "", "talking", True, Place(2, True, "wrap-up")),  # not rung in the moment of hanging up
        ("available", "", "wrap_up", True, Place(2, True, "wrap-up")),
        ("on_break", "lunch", "idle", True, Place(2, True, "lunch")),
        ("on_break", "missed", "idle", True, Place(2, True, "missed")),
        ("on_break", "", "idle", True, Place(2, True, "break")),
        ("on_break", "lunch", "talking", True, Place(2, True, "lunch")),  # no other reason when he hangs up
        ("available", "", "idle", False, None),  # no phone to ring
        ("offline", "", "idle", True, None),
        ("offline", "", "talking", True, None),
    ],
)
def test_the_place_of_a_declared_member(status, reason, state, reachable, place):
    assert wished(status, reason, state, reachable, 2) == place


REPAIR_1001 = ("repair", "PJSIP/1001")


@pytest.mark.parametrize(
    ("wish", "found", "told"),
    [
        (Place(), None, [("QueueAdd", {"MemberName": "1001", "Penalty": 0, "Paused": False})]),
        (
            Place(1, True, "lunch"),  # the switch takes no reason with QueueAdd
            None,
            [
                ("QueueAdd", {"MemberName": "1001", "Penalty": 1, "Paused": True}),
                ("QueuePause", {"Paused": True, "Reason": "lunch"}),
            ],
        ),
        (None, Place(), [("QueueRemove", {})]),  # somebody added him at the console, or he went home
        (Place(), Place(), []),
        (Place(), Place(0, True, "who knows"), [("QueuePause", {"Paused": False, "Reason": None})]),
        (Place(0, True, "wrap-up"), Place(), [("QueuePause", {"Paused": True, "Reason": "wrap-up"})]),
        (Place(0, True, "lunch"), Place(0, True, "wrap-up"), [("QueuePause", {"Paused": True, "Reason": "lunch"})]),
        (Place(3), Place(1), [("QueuePenalty", {"Penalty": 3})]),
        (
            Place(3, True, "missed"),
            Place(1),
            [("QueuePenalty", {"Penalty": 3}), ("QueuePause", {"Paused": True, "Reason": "missed"})],
        ),
    ],
)
def test_repairs(wish, found, told):
    there = {} if found is None else {REPAIR_1001: found}
    steps = repairs({} if wish is None else {REPAIR_1001: wish}, there)
    theirs = {"Queue": "repair", "Interface": "PJSIP/1001"}
    assert [(step.action, dict(step.fields)) for step in steps] == [(action, theirs | more) for action, more in told]
    if steps:
        assert steps[-1].leaves == wish  # so the next look finds nothing to do


def test_only_the_members_of_our_queues_that_no_file_declares_are_ours():
    def member(queue: str, location: str, **more: str) -> Message:
        held = {"Event": "QueueMember", "Membership": "dynamic", "Penalty": "0", "Paused": "0", "PausedReason": ""}
        return Message(held | {"Queue": queue, "Name": location[-4:], "Location": location} | more)

    status = [
        Message({"Event": "QueueParams", "Queue": "repair", "Max": "0"}),
        member("repair", "PJSIP/1001", Penalty="2"),
        member("repair", "PJSIP/1002", Paused="1", PausedReason="lunch"),
        member("repair", "PJSIP/1003", PausedReason="of yesterday"),
        member("repair", "PJSIP/reception", Membership="static"),
        member("somebody-elses", "PJSIP/1001"),
        Message({"Event": "QueueEntry", "Queue": "repair", "Position": "1"}),
    ]
    assert found_places(status, {"repair", "inquiry"}) == {
        ("repair", "PJSIP/1001"): Place(2),
        ("repair", "PJSIP/1002"): Place(0, True, "lunch"),
        ("repair", "PJSIP/1003"): Place(),
    }
