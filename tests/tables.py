"""Every module that declares tables; importing this one makes them all known."""

from __future__ import annotations

import importlib

MODULES = (
    "agent_desktop.line_check",
    "agent_desktop.rows",
    "agent_desktop.windows",
    "callcenter.jobs",
    "callcenter.ledger",
    "config.calendar",
    "config.people",
    "config.queues",
    "config.tokens",
    "cti.callbacks",
    "cti.dialling",
    "cti.dispositions",
    "cti.handovers",
    "cti.helping",
    "cti.rollups",
    "cti.rows",
    "recordings.rows",
    "reports.rows",
    "ticketing.record_rows",
    "ticketing.attachments",
    "ticketing.catalogue",
    "ticketing.dispatch",
    "ticketing.drafts",
    "ticketing.duties",
    "ticketing.installations",
    "ticketing.knowledge_rows",
    "ticketing.merge_rows",
    "ticketing.part_rows",
    "ticketing.rows",
    "ticketing.ties",
)

for module in MODULES:
    importlib.import_module(module)
