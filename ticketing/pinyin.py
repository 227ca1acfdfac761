"""How a name sounds, so that it is found by typing it: 李建国 is "li jian guo" and "ljg"."""

from __future__ import annotations

import re
import unicodedata

from pypinyin import Style, lazy_pinyin

_WORDS = re.compile(r"[a-z0-9]+")


def full(name: str) -> str:
    """Syllables and Latin words in small letters, one space between: "xu gong ji tuan", "ann meyer"."""
    return " ".join(_syllables(name))


def initials(name: str) -> str:
    """The first letter of each syllable and word, digits whole: "xgjt", "am"."""
    return "".join(part if part.isdigit() else part[0] for part in _syllables(name))


def _syllables(name: str) -> list[str]:
    parts = lazy_pinyin(unicodedata.normalize("NFKC", name), style=Style.NORMAL, v_to_u=False)
    return _WORDS.findall(" ".join(_plain(part) for part in parts))


def _plain(text: str) -> str:
    """Small letters without accents: Müller is muller, 吕 is lv as it is typed."""
    bare = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in bare if not unicodedata.combining(char))
