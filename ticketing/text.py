"""What people type, made fit to keep: no control characters, nothing invisible, no half letters."""

from __future__ import annotations


def clean(text: str) -> str:
    """Without what cannot be seen; line breaks and tabs stay, every other space becomes a plain one."""
    spaced = (" " if char.isspace() and char not in "\n\t" else char for char in text.replace("\r\n", "\n"))
    return "".join(char for char in spaced if char.isprintable() or char in "\n\t").strip()


def line(text: str) -> str:
    """The same on one line, each gap one space."""
    return " ".join(clean(text).split())
