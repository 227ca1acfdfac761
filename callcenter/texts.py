"""Texts that people read are marked where they stand and translated where they are shown."""

from __future__ import annotations

from typing import Any


class Titled:
    """Is called something in Chinese and in English."""

    zh: str
    en: str

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


def marked(text: str) -> str:
    """A text to be translated where it is shown, not where it stands."""
    return text


class Said(str):
    """A text with its values in it, in English, that still knows both; whoever shows it can say it otherwise."""

    wording: str
    values: dict[str, Any]


def said(wording: str, /, **values: object) -> Said:
    """``%(name)s`` in the wording becomes the value of that name; a value may be Said itself."""
    text = Said(wording % values if values else wording)
    text.wording, text.values = wording, values
    return text
