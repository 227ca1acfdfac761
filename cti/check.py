"""What ``callcenter check`` asks the running switch: does it let us in, and does it hear SIP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from callcenter.errors import CallCenterError
from callcenter.texts import marked, said
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
        yield Finding(marked("SIP"), False, fault.said, said("start the centre: callcenter run"))
    else:
        heard = said("%(switch)s answers %(host)s; try a call: callcenter call 4008", switch=target, host=host)
        yield Finding(marked("SIP"), True, heard)


async def _ami(settings: Settings) -> Finding:
    switch = settings.switch
    door = Door(switch, settings.ami_secret, ())
    logging.disable(logging.WARNING)  # what the door would log is the finding
    where = f"{switch.ami_user}@{switch.host}:{switch.ami_port}"
    try:
        if not await door.connect():
            mend = said("start the centre: callcenter run")
            if isinstance(door.fault, LoginRefused):
                mend = said(
                    "restart the centre, which writes manager.conf anew, or set switch.ami_secret to the switch's own"
                )
            return Finding(marked("AMI"), False, door.fault.said if door.fault else "", mend)
        queues = await door.ask_list("QueueSummary")
        names = sum(1 for queue in queues if queue.get("Event") == "QueueSummary")
        since = f"{door.booted_at:%Y-%m-%d %H:%M:%S} UTC" if door.booted_at else "?"
        up = said("%(where)s: in; up since %(since)s, %(names)s queues", where=where, since=since, names=names)
        return Finding(marked("AMI"), True, up)
    except CallCenterError as fault:
        return Finding(
            marked("AMI"),
            False,
            fault.said,
            said("give our user read = system,call,agent,user and write = agent,reporting"),
        )
    finally:
        await door.close()
        logging.disable(logging.NOTSET)
