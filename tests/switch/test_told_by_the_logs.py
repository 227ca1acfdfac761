"""What the dial plan says while nobody listens is found in the switch's own logs, once and in its place."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import select

from callcenter.ledger import LedgerRow
from cti import moves
from cti.rows import Call
from tests.switch.conftest import Switch
from tests.switch.test_calls_as_rows import Cti, cti_  # noqa: F401 - a fixture
from tests.waiting import wait_until
from tests.witness import Witness

OURS = "tel-1795310468.900000001"
SAID = ("PutAside", "Transferred", "CallerKept", "Dialled")


def test_a_customer_handed_over_kept_parked_and_a_number_dialled_unheard(
    switch: Switch,
    cti_: Cti,  # noqa: F811
    people: ExitStack,
    witness: Witness,
):
    for extension in ("1001", "1002"):
        people.enter_context(switch.desk(extension))
    carrier = people.enter_context(switch.far_end())
    cti_.serves("1001")
    people.enter_context(switch.caller(hold_s=40))
    call_id = cti_.call(lambda call: call.state == "talking").call_id
    talk = witness.wait_for("AgentConnect")
    customer, phone = talk["Channel"], talk["DestChannel"]
    cti_.stop()

    for name, value in (("__CUSTOMER", customer), ("__TARGET", "1002"), ("__PUT_BY", "1001")):
        witness.ask("Setvar", Channel=phone, Variable=name, Value=value)
    asks = {"Channel": phone, "Context": "consult", "Exten": "1002", "Priority": "1"}
    waits = {"ExtraChannel": customer, "ExtraContext": "aside", "ExtraExten": "consult", "ExtraPriority": "1"}
    witness.ask("Redirect", **asks, **waits)
    colleague = witness.wait_for("BridgeEnter", where=lambda m: "/1002-" in m["Channel"])["Channel"]
    witness.ask("Hangup", Channel=phone, Cause="16")
    witness.wait_for("UserEvent", UserEvent="HandedOver")
    wait_until(lambda: len(witness.heard("BridgeEnter", Channel=customer)) == 3, what="李静 has the customer")
    witness.ask("Hangup", Channel=colleague, Cause="27")
    witness.wait_for("UserEvent", UserEvent="Kept")
    witness.ask("Redirect", Channel=customer, Context="aside", Exten="parked", Priority="1")
    witness.wait_for("UserEvent", UserEvent="PutAside", Why="parked")
    dialled = {"Context": "dialling", "Exten": "13900139000", "Priority": "1", "Async": "true"}
    witness.ask("Originate", Channel="PJSIP/1001", ChannelId=OURS, **dialled)
    wait_until(lambda: carrier.invites == 1 and len(switch.channels()) == 3, what="the number is called")

    cti_.start()

    def becomes(which: str, state: str) -> Call:
        def there() -> Call | None:
            with cti_.database.read() as db:
                call = db.get(Call, which)
                return call if call is not None and call.state == state else None

        call = wait_until(there, what=f"{which} is {state}")
        assert call is not None
        return call

    found = becomes(call_id, "parked")
    assert (found.transfers, found.holds, [part[0::2] for part in cti_.segments(found)][2:]) == (
        1,
        1,
        [("talk", "1001"), ("hold", "1001"), ("talk", "1002"), ("kept", "1002"), ("hold", "1002")],
    )
    out = becomes(OURS, "talking")
    assert (out.did, out.agent) == ("+8613900139000", "1001")

    def told() -> list[tuple[str, str]]:
        with cti_.database.read() as db:
            ours = LedgerRow.type.in_(SAID), LedgerRow.call_id.in_((call_id, OURS))
            rows = db.execute(select(LedgerRow.type, LedgerRow.source).where(*ours))
            return sorted((row[0], row[1]) for row in rows)

    once = [("CallerKept", "cel"), ("Dialled", "cel"), ("PutAside", "cel"), ("PutAside", "cel"), ("Transferred", "cel")]
    assert told() == once
    cti_.stop()
    cti_.start()
    assert told() == once, "to come back again tells nothing twice"
    cti_.run(moves.end(cti_.intake.door, switch.channels()))
    assert becomes(call_id, "ended").outcome == "answered"
