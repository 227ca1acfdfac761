"""What we send is exactly one action, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cti.ami import pause_s
from cti.wire import END, BadField, compose, parse

ATTACK = "x\r\n\r\nAction: DBPut\r\nFamily: evil"


@pytest.mark.parametrize(
    "fields",
    [
        {"Queue": ATTACK},
        {"Queue": "a\nb"},
        {"Queue": "a\rb"},
        {"Queue": "a\0b"},
        {"Queue\r\nAction": "x"},
        {"Queue: x\r\nAction": "x"},
        {"": "x"},
        {"队列": "x"},
        {"Variable": {"A": ATTACK}},
        {"Variable": {"A=1,B": "x"}},
        {"Variable": {ATTACK: "x"}},
        {"Channel": ["PJSIP/1001", ATTACK]},
        {"Queue": "x" * 1001},
        {"Queue": "王" * 400},
        {"Queue": "\ud800"},
        {"Variable": {f"V{n}": "x" for n in range(130)}},
    ],
    ids=lambda fields: repr(fields)[:40],
)
def test_a_field_that_could_be_read_as_something_else_is_refused(fields):
    with pytest.raises(BadField):
        compose({"Action": "QueueAdd", **fields})


def test_an_action_is_its_headers_and_a_blank_line():
    sent = compose({"Action": "QueueAdd", "Queue": "repair", "Paused": True, "Penalty": 3, "Reason": None})
    assert sent == b"Action: QueueAdd\r\nQueue: repair\r\nPaused: true\r\nPenalty: 3\r\n\r\n"


def test_every_variable_has_a_header_of_its_own():
    sent = compose({"Action": "Originate", "Variable": {"__ATTEMPT": "7", "CALLERID(name)": "李雷"}})
    assert sent.decode() == "Action: Originate\r\nVariable: __ATTEMPT=7\r\nVariable: CALLERID(name)=李雷\r\n\r\n"


def test_a_comma_in_a_value_cannot_begin_another_variable():
    sent = compose({"Action": "Originate", "Variable": {"NAME": 'a,b "c" \\'}})
    assert sent.decode() == 'Action: Originate\r\nVariable: NAME=a\\,b \\"c\\" \\\\\r\n\r\n'


@given(some.dictionaries(some.text(min_size=1, max_size=12), some.text(max_size=60), min_size=1))
def test_what_is_sent_reads_as_one_action_with_these_fields(fields):
    try:
        sent = compose(fields)
    except BadField:
        return
    assert sent.endswith(END)
    assert sent.count(END) == 1
    assert parse(sent.removesuffix(END)) == fields


@pytest.mark.parametrize(
    ("losses", "refused", "least", "most"),
    [
        (1, False, 0.1, 1.0),  # a link that was cut is back within a second
        (2, False, 1.0, 2.0),
        (9, False, 5.0, 10.0),
        (1, True, 3.75, 5.0),  # a refused log-in is not tried every 2 s
        (9, True, 45.0, 60.0),
    ],
)
def test_the_pause_before_the_next_try(losses, refused, least, most):
    assert pause_s(losses, refused, 0.0) == pytest.approx(least)
    assert pause_s(losses, refused, 1.0) == pytest.approx(most)
