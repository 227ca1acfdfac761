"""The people who log in."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from callcenter.commands.console import Json, _, app, database_of, out, start
from callcenter.database import now
from callcenter.errors import BadInput

users = typer.Typer(help="The people who log in.", no_args_is_help=True)
app.add_typer(users, name="user")


@users.command("list")
def user_list(as_json: Json = False) -> None:
    """Who may log in."""
    from sqlalchemy import select

    from config.people import User

    with database_of(start()).read() as db:
        found = [
            {"login": u.login, "name": u.name, "role": u.role, "extension": u.extension, "active": u.active}
            for u in db.scalars(select(User).order_by(User.login))
        ]
    if as_json:
        out.print_json(json.dumps(found))
        return
    table = Table(_("login"), _("name"), _("role"), _("extension"), _("active"), box=None)
    for row in found:
        table.add_row(*(str(value or "") for value in row.values()))
    out.print(table)


@users.command("add")
def user_add(
    login: str,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="agent, supervisor, qa, campaign or admin.")] = "agent",
    extension: Annotated[str, typer.Option(help="For those who take calls, such as 1001.")] = "",
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """Add a person; a random password is printed once."""
    from config import people

    if role not in set(people.Role):
        raise BadInput("role %(role)s; one of %(choices)s", role=repr(role), choices=", ".join(people.Role))
    settings = start()
    password = people.new_password()
    with database_of(settings).write() as db:
        people.create_user(db, login, name, role, password, now(), language=language, extension=extension or None)
    out.print(f"{login} {password}")
    if extension:
        out.print(_("The switch knows the extension within ten seconds."))


@users.command("password")
def user_password(login: str) -> None:
    """Give a person a new random password and end all his sessions."""
    from config import people

    password = people.new_password()
    with database_of(start()).write() as db:
        people.set_password(db, people.user_of(db, login), password, now())
    out.print(f"{login} {password}")


@users.command("phone")
def user_phone(extension: str) -> None:
    """Print what a desk phone of this extension registers with."""
    from sqlalchemy import select

    from callcenter.errors import NotFound
    from config.people import User
    from config.switch import sip_password

    settings = start()
    with database_of(settings).read() as db:
        if db.scalar(select(User.id).where(User.extension == extension)) is None:
            raise NotFound("extension %(extension)s", extension=extension)
    out.print(_("server %(address)s", address=f"{settings.switch.sip_bind}:{settings.switch.sip_port}"))
    out.print(_("user %(user)s", user=extension))
    out.print(_("password %(password)s", password=sip_password(settings, extension)))
