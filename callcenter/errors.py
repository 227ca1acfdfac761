"""Faults, one class each; the docstring is the sentence an operator reads."""

from __future__ import annotations

import inspect

from callcenter.texts import Said, said


class CallCenterError(Exception):
    """Something went wrong in the call centre."""

    status = 500
    """The HTTP status a page or the API answers with."""

    def __init__(self, detail: str = "", /, **values: object) -> None:
        """``detail`` is translated where it is shown; ``%(name)s`` in it becomes the value of that name."""
        self.wording, self.values = detail, values
        super().__init__(str(self))

    @property
    def word(self) -> str:
        """The machine word of the fault, such as ``SwitchUnreachable``."""
        return type(self).__name__

    @property
    def sentence(self) -> str:
        """The docstring's first paragraph: what is translated, so it never holds a value."""
        return inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0].replace("\n", " ")

    def as_json(self) -> dict[str, object]:
        """What a program is told of it beside word, sentence and detail."""
        return {}

    @property
    def detail(self) -> str:
        return self.wording % self.values if self.values else self.wording

    @property
    def said(self) -> Said:
        """The sentence, and the detail behind it in brackets."""
        if not self.wording:
            return said(self.sentence)
        return said("%(sentence)s (%(detail)s)", sentence=said(self.sentence), detail=said(self.wording, **self.values))

    def __str__(self) -> str:
        return str(self.said)


class BadSettings(CallCenterError):
    """The settings cannot be used; nothing was started."""


class NotFound(CallCenterError):
    """There is no such record, or you may not see it."""

    status = 404


class NotAllowed(CallCenterError):
    """Your role does not allow this."""

    status = 403


class BadInput(CallCenterError):
    """What was entered cannot be used; nothing was changed."""

    status = 422


class DatabaseUnreachable(CallCenterError):
    """The database does not answer; check database.url and that its server runs."""

    status = 503


class DriverMissing(CallCenterError):
    """PostgreSQL needs a Python package: .venv/bin/pip install -c requirements.lock 'psycopg[binary]'"""


class PortBusy(CallCenterError):
    """Another program has a port that is needed here; stop that program, or choose another port in the settings."""
