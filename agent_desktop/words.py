"""The words for the codes that rows hold."""

from __future__ import annotations

from agent_desktop.i18n import marked as _

WORDS: dict[str, dict[str, str]] = {
    "area": {
        "agents": _("Agents"),
        "calls": _("Calls"),
        "campaigns": _("Campaigns"),
        "customers": _("Customers"),
        "engines": _("Engines"),
        "events": _("Events"),
        "knowledge": _("Knowledge"),
        "quality": _("Quality"),
        "queues": _("Queues"),
        "reports": _("Reports"),
        "stations": _("Stations"),
        "tickets": _("Tickets"),
        "webhooks": _("Webhooks"),
    },
    "call_state": {
        "arrived": _("Arrived"),
        "in_menu": _("In the menu"),
        "waiting": _("In the queue"),
        "ringing": _("Ringing"),
        "talking": _("Talking"),
        "ended": _("Ended"),
    },
    "outcome": {
        "answered": _("Answered"),
        "abandoned_menu": _("Hung up in the menu"),
        "abandoned_queue": _("Hung up in the queue"),
        "abandoned_ringing": _("Hung up while it rang"),
        "queue_timeout": _("Waited too long"),
        "queue_exit": _("Left the queue"),
        "lost": _("Lost with the switch"),
        "other": _("Otherwise"),
    },
    "wait_outcome": {
        "waiting": _("Waiting"),
        "answered": _("Answered"),
        "abandoned": _("Hung up in the queue"),
        "timeout": _("Waited too long"),
        "exit": _("Left the queue"),
        "lost": _("Lost with the switch"),
        "other": _("Otherwise"),
    },
    "direction": {"in": _("Incoming"), "out": _("Outgoing"), "internal": _("Internal")},
    "agent_status": {"available": _("Available"), "on_break": _("On break"), "offline": _("Offline")},
    "agent_state": {
        "idle": _("Idle"),
        "ringing": _("Ringing"),
        "talking": _("Talking"),
        "wrap_up": _("Wrap-up"),
    },
    "status_reason": {
        "missed": _("Missed a call"),
        "lunch": _("Lunch"),
        "short": _("Short break"),
        "training": _("Training"),
        "meeting": _("Meeting"),
        "wrap-up": _("Wrap-up"),
    },
    "ticket_kind": {
        "inquiry": _("Inquiry"),
        "complaint": _("Complaint"),
        "repair": _("Repair"),
        "follow_up": _("Follow-up"),
        "rescue": _("Rescue"),
    },
    "ticket_state": {"open": _("Open"), "waiting": _("Waiting for others"), "closed": _("Closed")},
    "ticket_entry": {
        "opened": _("Opened"),
        "changed": _("Changed"),
        "noted": _("Noted"),
        "closed": _("Closed"),
        "reopened": _("Reopened"),
    },
    "customer_kind": {
        "oem": _("Machine maker"),
        "dealer": _("Dealer"),
        "end_user": _("End user"),
        "station": _("Service station"),
        "key_account": _("Key account"),
    },
    "ticket_field": {
        "subject": _("Subject"),
        "state": _("State"),
        "urgent": _("Urgency"),
        "owner": _("Owner"),
        "due_at": _("Due"),
        "customer_id": _("Customer"),
        "engine_id": _("Engine"),
        "station_id": _("Service station"),
        "call_id": _("Call"),
        "fields": _("Answers"),
    },
    "warranty": {
        "in": _("In warranty"),
        "ends_soon": _("Warranty ends soon"),
        "out": _("Out of warranty"),
        "unknown": _("Warranty unknown"),
    },
    "recording": {"complete": _("Complete"), "truncated": _("Cut short"), "missing": _("Missing")},
    "report_when": {
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "this_week": _("This week"),
        "last_week": _("Last week"),
        "this_month": _("This month"),
        "last_month": _("Last month"),
        "days": _("From day to day"),
    },
    "report_by": {
        "quarter": _("15 minutes"),
        "half_hour": _("Half hour"),
        "hour": _("Hour"),
        "day": _("Day"),
        "week": _("Week"),
        "month": _("Month"),
        "queue": _("Queue"),
        "agent": _("Agent"),
    },
    "role": {
        "agent": _("Agent"),
        "supervisor": _("Supervisor"),
        "qa": _("Quality"),
        "campaign": _("Campaign manager"),
        "admin": _("Administrator"),
    },
}


def english(domain: str, code: str | None) -> str:
    """The English word of a code; a code nobody has a word for is shown as it is."""
    return WORDS[domain].get(code or "", code or "")
