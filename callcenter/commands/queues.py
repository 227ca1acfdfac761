"""Queues, who serves them, and the numbers people dial."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from callcenter.commands.console import Json, _, app, database_of, language, out, start
from callcenter.errors import BadInput

lines = typer.Typer(help="Queues, who serves them, and the numbers people dial.", no_args_is_help=True)
app.add_typer(lines, name="queue")


@lines.command("list")
def queue_list(as_json: Json = False) -> None:
    """Every queue with who serves it, the first to be asked first, and the numbers that lead to it."""
    from config import queues

    with database_of(start()).read() as db:
        served = {
            queue: [(user, member.penalty) for member, user in queues.members(db, queue.name)]
            for queue in queues.list_queues(db)
        }
        numbers = queues.list_numbers(db)
    if as_json:
        told = [
            {
                "name": queue.name,
                "title_zh": queue.title_zh,
                "title_en": queue.title_en,
                "served_by": [{"extension": user.extension, "level": level} for user, level in people],
                "numbers": [did.number for did in numbers if did.default_queue == queue.name],
            }
            for queue, people in served.items()
        ]
        out.print_json(json.dumps(told, ensure_ascii=False))
        return
    table = Table(_("queue"), _("name"), _("served by (level)"), _("numbers"), box=None)
    for queue, people in served.items():
        asked = ", ".join(f"{user.name} {user.extension} ({level})" for user, level in people)
        dialled = ", ".join(f"{did.number} ({did.flow})" for did in numbers if did.default_queue == queue.name)
        table.add_row(queue.name, queue.title(language()), asked, dialled)
    out.print(table)


@lines.command("add")
def queue_add(
    name: Annotated[str, typer.Argument(help="What the switch calls it, such as warranty.")],
    zh: Annotated[str, typer.Option(help="Its name in Chinese.")],
    en: Annotated[str, typer.Option(help="Its name in English.")],
    kind: Annotated[str, typer.Option(help="The kind of ticket its calls open with.")] = "inquiry",
) -> None:
    """Add a queue; its times and thresholds are set on the page Queues."""
    from config import queues
    from ticketing.rows import TicketKind

    if kind not in set(TicketKind):
        raise BadInput("kind %(kind)s; one of %(choices)s", kind=repr(kind), choices=", ".join(TicketKind))
    with database_of(start()).write() as db:
        queues.create_queue(db, name, zh, en, ticket_kind=kind)
    out.print(_("The switch follows within ten seconds."))


@lines.command("serve")
def queue_serve(
    name: Annotated[str, typer.Argument(help="The queue.")],
    extension: Annotated[str, typer.Argument(help="The agent's extension.")],
    level: Annotated[int, typer.Option(help="When he is asked: level 0 first.", min=0, max=100)] = 0,
    ended: Annotated[bool, typer.Option("--end", help="He serves it no longer.")] = False,
) -> None:
    """Have an agent serve a queue, or no longer."""
    from config import queues

    with database_of(start()).write() as db:
        if ended:
            queues.remove_member(db, queues.load_queue(db, name).name, extension)
        else:
            queues.set_member(db, name, extension, level)
    out.print(_("The switch follows within ten seconds."))


@lines.command("number")
def queue_number(
    number: Annotated[str, typer.Argument(help="What people dial, as the carrier sends it.")],
    queue: Annotated[str, typer.Option(help="Where callers wait whom no menu led elsewhere.")],
    title: Annotated[str, typer.Option(help="What the number is for.")] = "",
    flow: Annotated[str, typer.Option(help="The menus that callers walk.")] = "service",
    spoken: Annotated[str, typer.Option("--language", help="zh or en.")] = "zh",
) -> None:
    """Add a number people dial, or say otherwise where it leads."""
    from config import queues
    from ivr import flow as flows

    settings = start()
    flows.named(settings, flow)
    with database_of(settings).write() as db:
        queues.put_number(db, number, title or number, flow, spoken, queue)
    out.print(_("The switch follows within ten seconds."))
