"""Phone numbers: one spelling per number, so that a caller is found however his number arrives.

What comes from the switch, from a form or from a spreadsheet is hostile input; what leaves ``normalise`` is at most
40 characters of digits, Latin letters and ``+ * # . _ - ; =``, and never starts with a character that a spreadsheet
would take for a formula, except the ``+`` of an international number.
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

LENGTH = 40
_NOBODY = {
    "anonymous",
    "anon",
    "unavailable",
    "unknown",
    "restricted",
    "private",
    "withheld",
    "asterisk",
    "none",
    "null",
}
_EXTENSION = re.compile(r"(?:转|轉|分机|分機|ext\.?|[x#])\s*:?\s*(\d{1,6})\s*$", re.IGNORECASE)
_BETWEEN = re.compile(r"[/、,，;；|\n]|或|和")
_SHORT = re.compile(
    r"""
    [48]00\d{7}      # 400 and 800: paid by the one who is called
    | 9[56]\d{3,6}   # banks, insurers, carriers
    | 1(?:0\d{3,6}|1\d|2\d|2\d{3}|6\d{3})   # 10086, 110, 120, 12315, 16xxx
    """,
    re.VERBOSE,
)
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LOCAL = re.compile(r"[2-8]\d{6,7}")


def normalise(raw: str, country: str = "CN", area_code: str = "") -> str:
    """E.164 (``+8613800138000``), with ``;ext=801`` where an extension was given; "" for an anonymous caller.

    Numbers that only mean something inside the country (400…, 800…, 95…, 10086, extensions such as 1001) stay as
    dialled. A local number gets ``area_code``. What is no number at all is cleaned and cut. Of several numbers in one
    text the first counts; ``several`` gives all of them.
    """
    text = _plain(raw)
    if not text or text.casefold() in _NOBODY:
        return ""
    whole = _number(text, country, area_code)
    if whole:
        return whole
    for part in _BETWEEN.split(text):
        found = _number(part.strip(), country, area_code)
        if found:
            return found
    cleaned = _cleaned(text)
    return cleaned if cleaned == raw else normalise(cleaned, country, area_code)  # what is clean now may be a number


def several(text: str, country: str = "CN", area_code: str = "") -> list[str]:
    """Every number in a text such as "13800138000/0371-67890123 转 801", in order and each once."""
    plain = _plain(text)
    whole = _number(plain, country, area_code)
    found = [whole] if whole else [_number(part.strip(), country, area_code) for part in _BETWEEN.split(plain)]
    return list(dict.fromkeys(number for number in found if number))


def main(number: str) -> str:
    """The number without its extension: what a caller from behind it shows."""
    return number.split(";", 1)[0]


def pretty(number: str, country: str = "CN") -> str:
    """As people of ``country`` write it: 138 0013 8000, 0371 6789 0123, +49 30 123456; else unchanged."""
    stem, _, extension = number.partition(";ext=")
    tail = f" {'转' if country == 'CN' else 'ext.'} {extension}" if extension else ""
    if re.fullmatch(r"[48]00\d{7}", stem) and country == "CN":
        return f"{stem[:3]} {stem[3:6]} {stem[6:]}"
    if not re.fullmatch(r"\+\d{5,15}", stem):
        return number
    try:
        parsed = phonenumbers.parse(stem)
    except NumberParseException:
        return number
    home = parsed.country_code == phonenumbers.country_code_for_region(country)
    style = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, style) + tail


def mask(number: str) -> str:
    """For logs: enough to tell two numbers apart, too little to call one: ``+861380****000``."""
    stem = main(number)
    if len(stem) <= 6:
        return stem[:1] + "*" * (len(stem) - 1)
    shown = min(3, len(stem) - 6)
    return stem[: -(shown + 4)] + "****" + stem[-shown:]


def is_number(number: str) -> bool:
    """Whether it can be called from outside: E.164 or a national service number."""
    stem = main(number)
    return bool(re.fullmatch(r"\+\d{5,15}", stem) or _SHORT.fullmatch(stem))


def _plain(raw: str) -> str:
    """Full-width to ASCII, nothing invisible, no SIP around it; at most 200 characters are looked at."""
    text = unicodedata.normalize("NFKC", raw[:200])
    text = re.sub(r"[\r\n\t]+", "\n", text)
    text = "".join(
        " " if char.isspace() and char != "\n" else char
        for char in text
        if char == "\n" or not unicodedata.category(char).startswith("C")
    )
    text = re.sub(r"^\s*<?(?:sips?|tel):", "", text, flags=re.IGNORECASE)
    text = text.split("@", 1)[0].strip().strip("<>\"'").strip()
    return re.sub(r";ext=(\d{1,6})\b.*$", r" ext \1", text)


def _number(text: str, country: str, area_code: str) -> str:
    """The number in canonical spelling, or "" where the text is none."""
    tail = ""
    extension = _EXTENSION.search(text)
    if extension and sum(char.isdigit() for char in text[: extension.start()]) >= 7:
        tail = f";ext={extension.group(1)}"
        text = text[: extension.start()].strip()
    text = text.split(";", 1)[0].strip()
    if not text or re.search(r"[^\d+\-()./~\s*#]", text) or not re.search(r"\d", text):
        return ""
    digits = re.sub(r"\D", "", text)
    if not digits.isascii():
        return ""
    if re.search(r"[*#]", text) or (len(digits) <= 6 and not text.startswith("+")):
        return re.sub(r"[^\d*#]", "", text)[:LENGTH] if len(digits) <= 8 else ""
    if country == "CN" and not re.match(r"(?:\+|00)(?!86)", text):
        national = _chinese(digits, area_code)
        if national:
            return national + tail
    try:
        parsed = phonenumbers.parse(text, country)
        if not phonenumbers.is_valid_number(parsed) and area_code and not text.startswith(("+", "00")):
            parsed = phonenumbers.parse(area_code + digits, country)
    except NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(parsed):
        return ""
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) + tail


def _chinese(digits: str, area_code: str) -> str:
    """What the numbering plan of China says at first sight; "" leaves it to the library."""
    inner = re.sub(r"^(?:00)?86(?=\d{7,})", "", digits)
    inner = re.sub(r"^0(?=1[3-9]\d{9}$)", "", inner)  # a PBX dials 0 before a mobile of another province
    if _SHORT.fullmatch(inner) and not _LOCAL.fullmatch(inner):
        return inner
    if _MOBILE.fullmatch(inner):
        return f"+86{inner}"
    if _LOCAL.fullmatch(digits) and area_code:
        whole = f"+86{area_code.lstrip('0')}{digits}"
        return whole if phonenumbers.is_valid_number(phonenumbers.parse(whole)) else ""
    return ""


def _cleaned(text: str) -> str:
    if not re.search(r"[^\d+\-()./~\s*#]", text):  # a number, only not one that can be: no punctuation
        text = re.sub(r"(?<!^)\D", "", text)
    kept = re.sub(r"[^0-9A-Za-z*#._+-]", "", text)
    kept = re.sub(r"^\+(?!\d)|(?<!^)\+", "", kept).lstrip("-.")
    return kept[:LENGTH]
