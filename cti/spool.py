"""Facts on disk while the database is away: JSON lines, in order, told again first when it is back."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, cast

from callcenter.events import Fact
from callcenter.payloads import as_payload, from_payload

log = logging.getLogger(__name__)

CHUNK = 1000  # facts told again at once


class Spool:
    """One file; ``len`` is how many facts lie in it. Safe to tell again: the ledger knows what it has."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._unwritten: list[str] = []  # what a full disk did not take
        self._count = sum(1 for _ in self._lines())

    def __len__(self) -> int:
        return self._count

    def add(self, facts: Sequence[Fact], source: str) -> None:
        """On disk when it returns; in memory while the disk does not take them either."""
        told = ({"source": source, "type": type(fact).__name__, "fact": as_payload(fact)} for fact in facts)
        self._unwritten += [json.dumps(line) for line in told]
        self._count += len(facts)
        try:
            self._write("".join(f"\n{line}\n" for line in self._unwritten))
        except OSError as fault:
            log.error("%s facts are in memory only: %s", len(self._unwritten), fault)
        else:
            self._unwritten.clear()

    def batches(self) -> Iterator[tuple[str, list[Fact]]]:
        """(source, facts) in the order they came."""
        read = ((told["source"], cast(Fact, from_payload(told["type"], told["fact"]))) for told in self._lines())
        for source, told in groupby(read, key=lambda pair: pair[0]):
            while facts := [fact for _source, fact in islice(told, CHUNK)]:
                yield source, facts

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)
        self._unwritten.clear()
        self._count = 0

    def _write(self, text: str) -> None:
        """Lines begin with a line break: one cut short by a crash or a full disk takes no other with it."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self._file.is_file():
            with self._file.open(encoding="utf-8", errors="replace") as lines:
                yield from _read(lines)
        yield from _read(self._unwritten)


def _read(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:  # empty, or cut short
            continue
        if isinstance(told, dict):
            yield told
