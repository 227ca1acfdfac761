"""Prompts spoken by the real espeak-ng: the right tones, the right form, not silent, made once."""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
import time
import wave
from array import array
from pathlib import Path

import pytest

from config.settings import Centre, Settings
from ivr import prompts
from ivr.flow import SHIPPED, load
from ivr.prompts import NoVoice, make, missing, pinyin, split

TONES = {"1": ["55"], "2": ["35"], "3": ["214", "21", "35"], "4": ["51"], "5": ["11", "22", "33", "44"]}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose prompts are made."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    assert make(settings).problems == []
    return settings


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Path:
    """Another home, with what was spoken already at hand."""
    shutil.copytree(settings.home / "sounds/cache", tmp_path / "sounds/cache")
    return tmp_path


def spoken_as(text: str) -> str:
    """espeak-ng's phonemes for a Chinese text."""
    command = ["espeak-ng", "-v", "cmn-latn-pinyin", "-q", "-x", "--stdin"]
    return subprocess.run(command, input=pinyin(text), capture_output=True, text=True, check=True).stdout


def samples(path: Path) -> array[int]:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        return array("h", file.readframes(file.getnframes()))


def loudness(sound: array[int]) -> float:
    return math.sqrt(sum(sample**2 for sample in sound) / len(sound))


# --- words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("重复", "chong2 fu4"),
        ("银行", "yin2 hang2"),
        ("行驶", "xing2 shi3"),
        ("报修请按3，投诉请按2。", "bao4 xiu1 qing3 an4 san1 , tou2 su4 qing3 an4 er4 ."),
        ("的", "de5"),
        ("4008", "si4 ling2 ling2 ba1"),
    ],
)
def test_chinese_is_spelt_by_how_it_is_read(text, said):
    assert pinyin(text) == said.replace("tou2", pinyin("投"))


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("三", "s'a55n"),
        ("重复", "ts.h'ong35_| f'u51"),
        ("银行", "35n_| X'a35N"),
        ("女", "n'y214"),
        ("报修", "p'Au51_| S;'iou55"),
    ],
)
def test_espeak_speaks_the_tones_and_no_english_digits(text, phonemes):
    assert phonemes in spoken_as(text)


def test_every_syllable_of_the_shipped_flow_is_spoken_with_its_own_tone():
    flow = load(SHIPPED / "service.yaml")
    for _, text in flow.sounds("zh"):
        for part, language in split(text, "zh"):
            if language == "en":
                continue
            syllables = [word for word in pinyin(part).split() if word not in ",."]
            heard = [syllable for syllable in spoken_as(part).split() if syllable.strip("_|")]
            assert len(heard) == len(syllables), part
            for word, phonemes in zip(syllables, heard, strict=True):
                assert any(tone in phonemes for tone in TONES[word[-1]]), (word, phonemes)


@pytest.mark.parametrize(
    ("text", "language", "parts"),
    [
        ("报修请按3。For English, press 9.", "zh", [("报修请按3。", "zh"), ("For English, press 9.", "en")]),
        ("For repair press 3. 中文服务请按8。", "en", [("For repair press 3.", "en"), ("中文服务请按8。", "zh")]),
        ("报修", "zh", [("报修", "zh")]),
        ("4008", "en", [("4008", "en")]),
        ("……", "zh", []),
        ("欢迎致电ACME热线", "zh", [("欢迎致电", "zh"), ("ACME", "en"), ("热线", "zh")]),
    ],
)
def test_each_script_is_spoken_by_its_own_voice(text, language, parts):
    assert split(text, language) == parts


# --- files ------------------------------------------------------------------------------------------------------


def test_every_prompt_has_a_file_that_is_not_silent(settings):
    assert missing(settings) == []
    wanted, faults = prompts.wanted(settings)
    assert faults == []
    assert {prompt.language for prompt in wanted} == {"zh", "en"}
    for prompt in wanted:
        sound = samples(settings.home / "sounds" / f"{prompt.path}.wav")
        seconds = len(sound) / 8000
        least = 0.2 if prompt.folder == "digits" else 1.0
        assert least < seconds < 30, prompt
        assert 500 < loudness(sound) < 20000, prompt
        assert max(abs(sample) for sample in sound) < 32767, f"{prompt} is cut off"


def test_a_longer_text_takes_longer_and_the_languages_differ(settings):
    zh = settings.home / "sounds/zh/cc"
    assert len(samples(zh / "service-menu-again.wav")) > len(samples(zh / "service-menu.wav")) + 8000
    assert (zh / "service-menu.wav").read_bytes() != (settings.home / "sounds/en/cc/service-menu.wav").read_bytes()
    assert prompts.length_s(settings, "zh", "service-menu") == pytest.approx(
        len(samples(zh / "service-menu.wav")) / 8000
    )
    assert prompts.length_s(settings, "zh", "nowhere") is None


def test_the_switch_who_is_another_user_can_read_them(settings):
    for path in (settings.home / "sounds").rglob("*.wav"):
        assert path.stat().st_mode & 0o444 == 0o444


def test_the_same_text_is_not_spoken_again_and_gives_the_same_bytes(settings, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (settings.home / "sounds").rglob("*.wav")}
    began = time.perf_counter()
    report = make(settings)
    assert time.perf_counter() - began < 2
    assert (report.made, report.problems) == ([], [])
    assert len(report.kept) == len(prompts.wanted(settings)[0])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    elsewhere = settings.model_copy(update={"home": tmp_path})
    make(elsewhere)
    one, other = (home.home / "sounds/zh/cc/service-menu.wav" for home in (settings, elsewhere))
    assert one.read_bytes() == other.read_bytes()


def test_the_centres_own_name_is_said(home):
    lengths_s = []
    for name in ("玉龙服务", "热线"):
        make(Settings(home=home, centre=Centre(name=name)))
        lengths_s.append(prompts.length_s(Settings(home=home), "zh", "greeting") or 0)
    assert lengths_s[0] > lengths_s[1] > 0


# --- recorded by the operator -----------------------------------------------------------------------------------


def record(path: Path, seconds: float = 1.0, rate_hz: int = 44100, channels: int = 2) -> None:
    """A tone as a studio delivers it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = array("h", (int(9000 * math.sin(n / 20)) for n in range(int(seconds * rate_hz)) for _ in range(channels)))
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(tone.tobytes())


def test_a_recorded_prompt_wins_over_the_voice_and_is_taken_back_when_it_goes(home):
    settings = Settings(home=home)
    recorded = home / "sounds/custom/zh/service-menu.wav"
    record(recorded)
    report = make(settings)
    assert report.custom == ["zh/cc/service-menu"]
    assert len(samples(home / "sounds/zh/cc/service-menu.wav")) == pytest.approx(8000, abs=80)
    recorded.unlink()
    assert make(settings).made == ["zh/cc/service-menu"]
    assert len(samples(home / "sounds/zh/cc/service-menu.wav")) > 5 * 8000


@pytest.mark.parametrize("kind", ["text", "empty", "lie", "nothing", "too long", "mp3"])
def test_a_recording_that_cannot_be_used_is_said_and_the_voice_speaks(home, kind):
    settings = Settings(home=home)
    recorded = home / "sounds/custom/zh/service-menu.wav"
    record(recorded, seconds={"nothing": 0.0, "too long": 130.0}.get(kind, 0.5), rate_hz=8000, channels=1)
    content = {
        "text": b"hello",
        "empty": b"",
        "mp3": b"\xff\xfb\x90\x00" + bytes(4000),
        "lie": b"RIFF" + struct.pack("<I", 2**31) + b"WAVEfmt " + b"\xff" * 40,
    }.get(kind)
    if content is not None:
        recorded.write_bytes(content)
    report = make(settings)
    assert len(report.problems) == 1
    assert str(recorded) in report.problems[0]
    assert report.custom == []
    assert len(samples(home / "sounds/zh/cc/service-menu.wav")) > 5 * 8000


# --- what may be missing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["espeak-ng", "sox"])
def test_a_missing_program_is_named_with_its_package(tmp_path, monkeypatch, program):
    tools = tmp_path / "bin"
    tools.mkdir()
    for other in {"espeak-ng", "sox"} - {program}:
        (tools / other).symlink_to(shutil.which(other) or "")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(NoVoice, match=f"apt-get install {program}"):
        make(Settings(home=tmp_path / "home"))


def test_with_every_prompt_made_no_program_is_needed(settings, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert make(settings).problems == []


def test_a_flow_that_cannot_be_used_is_a_problem_and_the_others_are_spoken(home):
    (home / "flows").mkdir()
    (home / "flows/broken.yaml").write_text("name: broken", encoding="utf-8")
    report = make(Settings(home=home))
    assert "broken.yaml" in report.problems[0]
    assert "zh/cc/service-menu" in report.made
