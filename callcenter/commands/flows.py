"""The IVR flows that callers walk: check, test, draw."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from callcenter.commands.console import Json, _, app, database_of, language, out, start

flows = typer.Typer(help="The IVR flows that callers walk.", no_args_is_help=True)
app.add_typer(flows, name="flow")


@flows.command("check")
def flow_check(as_json: Json = False) -> None:
    """Check every flow: unreachable steps, missing texts, unknown queues, circles without a way out."""
    from config.queues import list_queues
    from ivr import check as checking
    from ivr import flow

    settings = start()
    with database_of(settings).read() as db:
        queues = {queue.name for queue in list_queues(db)}
    good, bad = flow.usable(settings)
    found = [(name, finding.step, finding.what) for name, f in good.items() for finding in checking.check(f, queues)]
    found += [("", "", str(fault)) for fault in bad]
    if as_json:
        out.print_json(json.dumps([dict(zip(("flow", "step", "what"), row, strict=True)) for row in found]))
    else:
        for name, step, what in found:
            out.print(f"[red]✗[/red] {name} {step}: {what}" if name else f"[red]✗[/red] {what}")
        out.print(_("%(flows)s flows, %(found)s findings", flows=len(good), found=len(found)))
    raise typer.Exit(1 if found else 0)


@flows.command("test")
def flow_test(name: Annotated[str, typer.Argument(help="The flow, such as service.")]) -> None:
    """Walk the stories a flow tells of itself; says which end elsewhere."""
    from ivr import check as checking
    from ivr import flow

    walked = flow.named(start(), name)
    found = checking.stories(walked)
    for finding in found:
        out.print(f"[red]✗[/red] {finding.what}")
    out.print(_("%(stories)s stories, %(found)s end elsewhere", stories=len(walked.stories), found=len(found)))
    raise typer.Exit(1 if found else 0)


@flows.command("draw")
def flow_draw(
    name: Annotated[str, typer.Argument(help="The flow, such as service.")],
    spoken: Annotated[str, typer.Option("--language", help="zh or en; the terminal's if not said.")] = "",
) -> None:
    """Draw a flow as a Mermaid diagram."""
    from ivr import check as checking
    from ivr import flow

    out.print(checking.draw(flow.named(start(), name), spoken or language()), markup=False, soft_wrap=True)
