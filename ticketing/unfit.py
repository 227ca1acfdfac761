"""What cannot be kept in a record, field by field, so that a form can say it where it was typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callcenter.errors import BadInput
from ticketing.kinds import Fault, too_long


class RecordUnfit(BadInput):
    """This cannot be kept in the record; nothing was saved, and what was typed is still there."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{name}: {fault.en}" for name, fault in faults.items()))

    def as_json(self) -> dict[str, object]:
        return {"fields": {name: fault.en for name, fault in self.faults.items()}}


def overlong(values: Mapping[str, Any], longest: Mapping[str, int]) -> dict[str, Fault]:
    """Those that are longer than what they go into; of ``values`` only those that have a longest are looked at."""
    return {name: too_long(most) for name, most in longest.items() if len(values.get(name, "")) > most}
