"""What a form's fields say, as values; what cannot be read is told beside its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from ticketing.kinds import MISSING, Fault
from ticketing.unfit import RecordUnfit


class Typed:
    """The fields of one form. Read them all, then ``done()`` refuses the form if one could not be read."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._sent = sent
        self.faults: dict[str, Fault] = {}

    def text(self, name: str) -> str:
        return self._sent.get(name, "").strip()

    def tick(self, name: str) -> bool:
        return bool(self._sent.get(name))

    def day(self, name: str, *, required: bool = False) -> date | None:
        text = self.text(name)
        if text:
            try:
                return date.fromisoformat(text)
            except ValueError:
                self.faults[name] = Fault("请写成 2026-11-22 这样的日期", "Write the day as 2026-11-22")
        elif required:
            self.faults[name] = MISSING
        return None

    def number(self, name: str, *, required: bool = False) -> int | None:
        """A whole number; 3,210 and 3 210 are read as they are meant."""
        text = re.sub(r"[,，\s]", "", self.text(name))
        if text.isascii() and text.isdigit() and len(text) <= 9:
            return int(text)
        if text:
            self.faults[name] = Fault("请填写整数", "A whole number, please")
        elif required:
            self.faults[name] = MISSING
        return None

    def record(self, name: str, *, required: bool = False) -> int | None:
        """The record that was picked: ``… #12``, as the pages offer it."""
        text = self.text(name)
        found = re.search(r"#(\d{1,9})$", text)
        if found:
            return int(found[1])
        if text:
            self.faults[name] = Fault("请从列表中选择", "Choose one of the list")
        elif required:
            self.faults[name] = MISSING
        return None

    def done(self) -> None:
        if self.faults:
            raise RecordUnfit(self.faults)
