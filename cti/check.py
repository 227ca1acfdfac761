"""What ``callcenter check`` asks the running switch: does it let us in, and does it hear SIP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from callcenter.errors import CallCenterError
from config.check import Finding
from config.settings import Settings
from cti import telephone, trial
from cti.ami import Door, LoginRefused


def checks(settings: Settings) -> Iterator[Finding]:
    """The AMI log-in, and a SIP request from where callers come from."""
    yield asyncio.run(_ami(settings))
    try:
        host, _ = telephone.place(settings.switch)
        target = trial.listening(settings, host)
    except CallCenterError as fault:
        yield Finding("SIP", False, str(fault), "start the centre: callcenter run")
    else:
        yield Finding("SIP", True, f"{target} answers {host}; try a call: callcenter call 4008")


async def _ami(settings: Settings) -> Finding:
    switch = settings.switch
    door = Door(switch, settings.ami_secret, ())
    logging.disable(logging.WARNING)  # what the door would log is the finding
    where = f"{switch.ami_user} at {switch.host}:{switch.ami_port}"
    try:
        if not await door.connect():
            mend = "start the centre: callcenter run"
            if isinstance(door.fault, LoginRefused):
                mend = (
                    "restart the centre, which writes manager.conf anew, or set switch.ami_secret to the switch's own"
                )
            return Finding("AMI", False, str(door.fault), mend)
        queues = await door.ask_list("QueueSummary")
        names = sum(1 for queue in queues if queue.get("Event") == "QueueSummary")
        since = f"{door.booted_at:%Y-%m-%d %H:%M:%S} UTC" if door.booted_at else "an unknown time"
        return Finding("AMI", True, f"{where}: in; up since {since}, {names} queues")
    except CallCenterError as fault:
        return Finding(
            "AMI", False, str(fault), "give our user read = system,call,agent,user and write = agent,reporting"
        )
    finally:
        await door.close()
        logging.disable(logging.NOTSET)
