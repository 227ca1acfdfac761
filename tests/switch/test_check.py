"""``callcenter check`` on a running switch: nothing is found that is not there, and a wrong secret is."""

from __future__ import annotations

import config.check
import cti.check
from config.settings import Desktop, Switch
from tests.ports import free_port


def test_a_running_switch_is_in_order(switch):
    settings = switch.settings.model_copy(update={"desktop": Desktop(port=free_port())})
    found = {finding.name: finding for finding in config.check.checks(settings)}
    of_machine = {"browser sound", "prompts"}  # the test switch has no prompts of its own
    assert [finding for name, finding in found.items() if not finding.ok and name not in of_machine] == []
    assert f"pid {switch.process.pid}" in found["switch"].sentence
    assert "alaw" in found["modules"].sentence
    assert found["ports"].sentence == "3 ours, 2 free"


def test_the_switch_lets_us_in_and_hears_sip(switch):
    ami, sip = cti.check.checks(switch.settings)
    assert ami.ok
    assert "3 queues" in ami.sentence
    assert sip.ok
    assert sip.sentence.startswith(switch.sip)


def test_a_wrong_secret_is_told_from_a_dead_switch(switch):
    wrong: Switch = switch.settings.switch.model_copy(update={"ami_secret": "not-this-one"})
    ami, sip = cti.check.checks(switch.settings.model_copy(update={"switch": wrong}))
    assert not ami.ok
    assert "ami_secret" in ami.fix
    assert sip.ok
    dead = wrong.model_copy(update={"ami_port": 1, "sip_port": 1})
    ami, sip = cti.check.checks(switch.settings.model_copy(update={"switch": dead}))
    assert (ami.ok, ami.fix) == (False, "start the centre: callcenter run")
    assert not sip.ok
