"""Vehicle identification numbers (GB 16735, ISO 3779): seventeen characters, the ninth checks the others."""

from __future__ import annotations

import re

from ticketing.kinds import Fault

LENGTH = 17
_VALUES = dict(zip("0123456789", range(10), strict=True)) | dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True)
)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECKED = "L12345"
"""Where the law asks for a right check digit: China and North America, by the first character."""


def spell(vin: str) -> str:
    """As it is kept: capitals, letters and digits only."""
    return re.sub(r"[^0-9A-Z]", "", vin.upper())


def check_digit(vin: str) -> str:
    """What the ninth of these seventeen characters should be."""
    rest = sum(_VALUES[char] * weight for char, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def fault(vin: str) -> Fault | None:
    """What is wrong with it. A shorter number is a frame number of a machine, about which nothing is known."""
    if len(vin) > LENGTH:
        return Fault(f"{len(vin)} 位，VIN 为 17 位", f"{len(vin)} characters; a VIN has 17")
    if len(vin) < LENGTH:
        return None
    wrong = sorted(set(vin) & set("IOQ"))
    if wrong:
        letters = "、".join(wrong)
        return Fault(
            f"VIN 不含字母 {letters}（I、O、Q 不用），可能是 1 或 0",
            f"No VIN has {', '.join(wrong)}: is it a 1 or a 0?",
        )
    if vin[0] in _CHECKED and vin[8] != check_digit(vin):
        return Fault(
            f"校验位不符：第 9 位应为 {check_digit(vin)}，请再核对铭牌",
            f"The check digit is wrong: the ninth should be {check_digit(vin)}; read the plate again",
        )
    return None
