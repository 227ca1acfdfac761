"""Queue figures straight from queue_log, as Asterisk's documentation describes its events. Shares no code with ours.

ENTERQUEUE(url|callerid|position)          the caller joined
CONNECT(holdtime|channel|ringtime)         an agent took him after so many seconds
ABANDON(position|origposition|holdtime)    he hung up while waiting
EXITWITHTIMEOUT, EXITWITHKEY, EXITEMPTY    he left otherwise
COMPLETEAGENT, COMPLETECALLER(holdtime|calltime|origposition)
RINGNOANSWER(ringtime in ms)               an agent did not answer
QUEUESTART                                 the switch started; whoever waited in it before is gone
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class QueueFigures:
    offered: int = 0
    answered: int = 0
    abandoned: int = 0
    flow_outs: int = 0  # left otherwise, or lost with the switch
    missed: int = 0
    perhaps_cut: int = 0  # of those, within a second of the caller's own leaving: his end may have ended the ringing
    waits_s: list[int] = field(default_factory=list)  # of the answered
    answered_by: Counter[str] = field(default_factory=Counter)

    @property
    def asa(self) -> float | None:
        return sum(self.waits_s) / len(self.waits_s) if self.waits_s else None

    @property
    def sl3(self) -> float | None:
        """Answered within 20 s of those answered or abandoned."""
        decided = self.answered + self.abandoned
        return sum(1 for wait_s in self.waits_s if wait_s <= 20) / decided if decided else None


def figures(text: str) -> dict[str, QueueFigures]:
    by_queue: dict[str, QueueFigures] = defaultdict(QueueFigures)
    waiting: dict[str, QueueFigures] = {}
    rang: dict[str, list[int]] = defaultdict(list)
    for line in text.splitlines():
        stamp, call, queue, agent, event, *data = line.split("|")
        assert stamp.isdigit()
        here = by_queue[queue]
        if event in ("CONNECT", "ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY"):
            waiting.pop(call, None)
        if event == "QUEUESTART":
            for left in waiting.values():
                left.flow_outs += 1
            waiting.clear()
        elif event == "ENTERQUEUE":
            here.offered += 1
            waiting[call] = here
        elif event == "CONNECT":
            here.answered += 1
            here.waits_s.append(int(data[0]))
            here.answered_by[agent] += 1
        elif event == "ABANDON":
            here.abandoned += 1
        elif event in ("EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY"):
            here.flow_outs += 1
        elif event == "RINGNOANSWER":
            here.missed += 1
            rang[call].append(int(stamp))
        if event in ("ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY"):
            here.perhaps_cut += sum(1 for rung in rang.pop(call, ()) if int(stamp) - rung <= 1)
    return {queue: found for queue, found in by_queue.items() if found.offered}
