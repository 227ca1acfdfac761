"""Reading on in a file that grows and is put aside."""

from __future__ import annotations

from functools import partial

from cti import tail


def test_only_what_is_new_and_only_whole_lines(tmp_path):
    file = tmp_path / "cel.csv"
    file.write_text("one\ntwo\nthr")
    lines, place = tail.read(file, None)
    assert lines == ["one", "two"]
    with file.open("a") as more:
        more.write("ee\nfour\n")
    lines, place = tail.read(file, place)
    assert lines == ["three", "four"]
    assert tail.read(file, place) == ([], place)


def test_a_file_that_was_put_aside_twice_is_read_to_its_end(tmp_path):
    file = tmp_path / "queue_log"
    file.write_text("one\n")
    _, place = tail.read(file, None)
    with file.open("a") as more:
        more.write("two\n")
    file.rename(tmp_path / "queue_log.2")
    file.write_text("three\n")
    file.rename(tmp_path / "queue_log.1")
    file.write_text("four\n")
    lines, place = tail.read(file, place)
    assert lines == ["two", "three", "four"]
    assert tail.read(file, place)[0] == []
    assert tail.whole(file) == ["one", "two", "three", "four"]


def test_put_aside_with_nothing_new_yet(tmp_path):
    file = tmp_path / "queue_log"
    file.write_text("one\n")
    _, place = tail.read(file, None)
    file.rename(tmp_path / "queue_log.1")
    assert tail.read(file, place) == ([], None)


def test_a_file_cut_shorter_is_read_from_its_beginning(tmp_path):
    file = tmp_path / "cel.csv"
    file.write_text("one\ntwo\nthree\n")
    _, place = tail.read(file, None)
    file.write_text("new\n")
    assert tail.read(file, place)[0] == ["new"]


def test_no_file_is_no_fault(tmp_path):
    assert tail.read(tmp_path / "cel.csv", None) == ([], None)
    assert tail.end(tmp_path / "cel.csv") is None


def test_a_name_with_a_line_separator_of_unicode_stays_one_line(tmp_path):
    file = tmp_path / "cel.csv"
    file.write_text('"王\u2028小明"\n', encoding="utf-8")
    assert len(tail.read(file, None)[0]) == 1


def test_the_last_lines_that_are_young_are_left_for_next_time(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "BACK", 8)
    file = tmp_path / "cel.csv"
    lines = [f"{number:02d} 王小明" for number in range(40)]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    place = tail.end(file)
    assert place is not None
    for oldest in (0, 3, 39, 40):
        here = tail.back(file, place, partial(_from, oldest))
        assert tail.read(file, here)[0] == lines[oldest:]
    assert tail.back(file, tail.Place(place.inode + 1, 5), lambda line: True).offset == 5  # put aside meanwhile


def _from(oldest: int, line: str) -> bool:
    return int(line[:2]) >= oldest
