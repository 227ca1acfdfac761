"""A customer whose agent's phone goes away, on a real switch and without any program of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.switch.conftest import Switch
from tests.waiting import wait_until
from tests.witness import Witness

GONE, HUNG_UP = "27", "16"


@pytest.fixture
def agent(switch: Switch, witness: Witness) -> Iterator[None]:
    """The agent 1001 serves the queue of the number 4008."""
    witness.ask("QueueAdd", Queue="inquiry", Interface="PJSIP/1001", MemberName="1001")
    yield
    witness.ask("QueueRemove", Queue="inquiry", Interface="PJSIP/1001")


def is_kept(witness: Witness, times: int = 1) -> None:
    wait_until(lambda: len(witness.heard("UserEvent", UserEvent="Kept")) == times, 10, "the customer is kept")


def comes_back(witness: Witness, customer: str) -> str:
    """The customer is brought to 1001, whose new leg is told."""
    legs = {message["Channel"] for message in witness.heard("BridgeEnter")}
    witness.ask("Redirect", Channel=customer, Context="back", Exten="1001", Priority="1")
    return str(witness.wait_for("BridgeEnter", where=lambda m: m["Channel"] not in legs)["Channel"])


def test_a_customer_is_kept_and_given_back_as_often_as_the_phone_goes_away_and_let_go_when_it_hangs_up(
    switch, witness, people, agent
):
    people.enter_context(switch.desk("1001"))
    caller = people.enter_context(switch.caller(hold_s=40))
    connected = witness.wait_for("AgentConnect")
    customer, phone = connected["Channel"], connected["DestChannel"]
    for times in (1, 2):
        witness.ask("Hangup", Channel=phone, Cause=GONE)
        is_kept(witness, times)
        phone = comes_back(witness, customer)
        assert phone.startswith("PJSIP/1001-")
    witness.ask("Hangup", Channel=phone, Cause=HUNG_UP)
    caller.wait_over()
    assert not switch.channels()


def test_a_customer_who_was_called_is_kept_as_well(switch, witness, people):
    people.enter_context(switch.desk("1001"))
    people.enter_context(switch.far_end())
    call = {"Channel": "PJSIP/1001", "Context": "dialling", "Exten": "13900139000", "Priority": "1", "Async": "true"}
    witness.ask("Originate", **call)
    customer = witness.wait_for("BridgeEnter", where=lambda m: "trunk" in m["Channel"])["Channel"]
    phone = witness.wait_for("BridgeEnter", where=lambda m: "1001" in m["Channel"])["Channel"]
    witness.ask("Hangup", Channel=phone, Cause=GONE)
    is_kept(witness)
    phone = comes_back(witness, customer)
    witness.ask("Hangup", Channel=phone, Cause=HUNG_UP)
    wait_until(lambda: not switch.channels(), 10, "the call is over")
