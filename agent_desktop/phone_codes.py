"""What stands for the page's buttons on a desk phone, to be read, printed and hung up beside it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from agent_desktop.desktop import Reading
from agent_desktop.i18n import marked as _
from agent_desktop.page import PageHere
from agent_desktop.session import allow
from config.queues import Queue

DOES: dict[str, str] = {
    "ready": _("Ready for calls; logs in and ends the wrap-up"),
    "break_short": _("Break: short"),
    "break_lunch": _("Break: lunch"),
    "break_training": _("Break: training"),
    "break_meeting": _("Break: meeting"),
    "log_out": _("Log out; no more calls"),
    "wrap_up_over": _("Wrap-up is over"),
    "wrap_up_longer": _("One more minute of wrap-up"),
    "park": _("Park the customer, who hears music"),
    "fetch": _("Fetch the customer who has been parked longest; the phone rings"),
    "help": _("Ask the supervisor for help"),
    "transfer": _("Transfer the customer without asking first"),
    "ask": _("Ask a colleague, or a number outside, first; hanging up then hands the customer over"),
    "back": _("Back to the customer, without whom you asked"),
    "meet": _("All three together"),
}
IN_A_TALK: dict[str, str] = {
    "park": _("press it, or transfer the customer to it"),
    "help": _("press it; the customer does not hear it"),
    "transfer": _("press it, then the number, or the digit of a queue, and #; the customer hears music"),
    "ask": _("press it, then the number and #; the customer hears music"),
    "back": _("press it while you talk with whom you asked"),
    "meet": _("press it while you talk with whom you asked"),
}
router = APIRouter(dependencies=[allow("desk")])


@router.get("/desk/codes")
def phone_codes(page: PageHere, db: Reading) -> HTMLResponse:
    by_digit = sorted(page.settings.codes.queues.items())
    queues = [(digit, queue.title(page.language)) for digit, name in by_digit if (queue := db.get(Queue, name))]
    codes = [(code, DOES[name], IN_A_TALK.get(name, "")) for name, code in page.settings.codes.offered]
    return page.render("desk/codes.html", codes=codes, queues=queues)
