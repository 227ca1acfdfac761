"""Texts that people read are marked where they stand and translated where they are shown."""

from __future__ import annotations


def marked(text: str) -> str:
    """A text to be translated where it is shown, not where it stands."""
    return text
