"""The pages one can go to, in the order of the bar: those of every day in it, those of setting up under "Manage"."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from callcenter.texts import marked


class Entry(NamedTuple):
    permission: str
    path: str
    title: str
    alone: bool = False  # the pages below this path are others'


DAILY = (
    Entry("desk", "/desk", marked("Desk")),
    Entry("board", "/board", marked("Board")),
    Entry("calls", "/calls", marked("Calls")),
    Entry("customers", "/customers", marked("Customers")),
    Entry("tickets", "/tickets", marked("Tickets")),
    Entry("tickets.write", "/diary", marked("Diary")),
    Entry("knowledge", "/knowledge", marked("Knowledge")),
    Entry("reports", "/reports/today", marked("Today")),
    Entry("reports", "/reports", marked("Reports"), alone=True),
)

MANAGE = (
    Entry("agents", "/do-not-call", marked("Do not call")),
    Entry("queues.write", "/outcomes", marked("Outcomes")),
    Entry("users", "/admin/users", marked("Users")),
    Entry("settings", "/admin/tickets", marked("Kinds and words of tickets")),
    Entry("agents", "/stations", marked("Stations")),
    Entry("users", "/admin/tokens", marked("API tokens")),
    Entry("queues.write", "/admin/queues", marked("Queues")),
    Entry("queues.write", "/admin/serving", marked("Who serves what")),
    Entry("warranty.write", "/warranty-rules", marked("Warranty rules")),
    Entry("webhooks", "/admin/webhooks", marked("Webhooks")),
)


def here(entry: Entry, path: str) -> bool:
    """Whether the page at this path is the entry's, or below it."""
    return path == entry.path or (not entry.alone and path.startswith(f"{entry.path}/"))


def open_to(entries: tuple[Entry, ...], may: Callable[[str], bool]) -> list[Entry]:
    return [entry for entry in entries if may(entry.permission)]
