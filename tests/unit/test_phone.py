"""One number, one spelling, however it arrives."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter import phone

SAFE = re.compile(r"(?:\+(?=\d))?[0-9A-Za-z*#._=;-]*")


@pytest.mark.parametrize(
    ("as_it_arrives", "as_it_is_kept"),
    [
        ("13800138000", "+8613800138000"),
        ("013800138000", "+8613800138000"),  # a PBX put a zero before a mobile from another province
        ("8613800138000", "+8613800138000"),  # a trunk left the plus away
        ("008613800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),  # typed with a Chinese keyboard
        ("17951 13800138000", "+8613800138000"),  # through an IP carrier
        ("sip:13800138000@10.0.0.1", "+8613800138000"),
        ("tel:+86-138-0013-8000", "+8613800138000"),
        ("0371-67890123", "+8637167890123"),
        ("(0371) 6789 0123", "+8637167890123"),
        ("0371/67890123", "+8637167890123"),
        ("86 0371 67890123", "+8637167890123"),
        ("010-67890123", "+861067890123"),
        ("67890123", "+8637167890123"),  # local: the centre's own area code
        ("0371-67890123转801", "+8637167890123;ext=801"),
        ("0371-67890123 分机 801", "+8637167890123;ext=801"),
        ("0371-67890123 ext. 801", "+8637167890123;ext=801"),
        ("13800138000/13900139000", "+8613800138000"),
        ("4001234567", "4001234567"),
        ("400-123-4567", "4001234567"),
        ("+864001234567", "4001234567"),
        ("800-820-8820", "8008208820"),
        ("95598", "95598"),
        ("10086", "10086"),
        ("12315", "12315"),
        ("110", "110"),
        ("1001", "1001"),  # an extension of ours
        ("+1 650 253 0000", "+16502530000"),  # not a mobile of China
        ("0049 30 123456", "+4930123456"),
        ("anonymous", ""),
        ("Anonymous", ""),
        ("", ""),
        ("   ", ""),
    ],
)
def test_a_number_has_one_spelling(as_it_arrives, as_it_is_kept):
    assert phone.normalise(as_it_arrives, "CN", "0371") == as_it_is_kept


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("=cmd|' /C calc'!A0", "cmdCcalcA0"),
        ("+cmd", "cmd"),
        ("-1+1", "11"),
        ("<script>alert(1)</script>", "scriptalert1script"),
        ("${SHELL(touch x)}", "SHELLtouchx"),
        ("13800138000\r\nAction: Command", "+8613800138000"),
        ("\u202e13800138000\x00", "+8613800138000"),
        ("9" * 900, "9" * 40),
    ],
)
def test_a_hostile_caller_id_becomes_harmless(hostile, harmless):
    assert phone.normalise(hostile, "CN", "0371") == harmless


@given(st.text(max_size=300) | st.from_regex(r"\+?[0-9 ()/.x转;,-]{0,30}", fullmatch=True))
def test_whatever_comes_in_what_goes_out_is_short_and_harmless_and_stays_as_it_is(text):
    kept = phone.normalise(text, "CN", "0371")
    assert len(kept) <= 40
    assert SAFE.fullmatch(kept)
    assert phone.normalise(kept, "CN", "0371") == kept
    phone.pretty(kept)
    assert len(phone.mask(kept)) <= 41


@given(st.integers(13000000000, 19999999999))
def test_a_mobile_is_one_number_in_all_its_spellings(mobile):
    said = str(mobile)
    spellings = [said, "0" + said, "86" + said, "+86" + said, "0086" + said, f"{said[:3]} {said[3:7]}-{said[7:]}"]
    assert {phone.normalise(spelling, "CN", "0371") for spelling in spellings} == {f"+86{said}"}


def test_several_numbers_in_one_cell_of_a_spreadsheet():
    assert phone.several("13800138000、0371-67890123转801；13800138000", "CN") == [
        "+8613800138000",
        "+8637167890123;ext=801",
    ]


@pytest.mark.parametrize(
    ("number", "as_people_write_it"),
    [
        ("+8613800138000", "138 0013 8000"),
        ("+8637167890123", "0371 6789 0123"),
        ("+8637167890123;ext=801", "0371 6789 0123 转 801"),
        ("+4930123456", "+49 30 123456"),
        ("4001234567", "400 123 4567"),
        ("1001", "1001"),
        ("cmdCcalcA0", "cmdCcalcA0"),
        ("", ""),
    ],
)
def test_a_number_is_shown_as_people_write_it(number, as_people_write_it):
    assert phone.pretty(number) == as_people_write_it


@pytest.mark.parametrize(
    ("number", "in_the_log"),
    [("+8613800138000", "+861380****000"), ("4001234567", "400****567"), ("1001", "1***"), ("", "")],
)
def test_a_log_shows_too_little_to_call(number, in_the_log):
    assert phone.mask(number) == in_the_log


def test_other_countries_read_their_own_numbers():
    assert phone.normalise("030 123456", "DE") == "+4930123456"
    assert phone.pretty("+4930123456", "DE") == "030 123456"
