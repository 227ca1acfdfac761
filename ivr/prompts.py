"""Texts → sound files, by language: what callers hear, spoken once and kept.

Chinese goes through pypinyin, which knows the readings of 重 and 行, to espeak-ng's pinyin voice; English is
spoken by flite where it is installed. A WAV the operator puts into ``sounds/custom/<language>`` wins over any voice.
Files are 8 kHz, 16 bit, mono, under ``sounds/<language>/cc`` (prompts) and ``sounds/<language>/digits``.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pypinyin import Style, lazy_pinyin

from callcenter.errors import CallCenterError
from config.settings import Settings
from ivr.flow import Language, usable

RATE_HZ = 8000
LONGEST_S = 120.0
AHEAD = 10  # "there are n callers before you" is recorded up to here
_VERSION = "1"  # of the way a text becomes sound; another number makes every file again
_PROGRAM_S = 60.0
_ESPEAK: tuple[str, ...] = ("espeak-ng", "-s", "180", "-v")
_FLITE: tuple[str, ...] = ("flite", "-voice", "slt")
_WAV_HEADER = 44  # bytes, as sox and wave write it

_FIXED: dict[Language, dict[str, str]] = {
    "zh": {
        "greeting": "欢迎致电{name}，通话将被录音，正在为您转接人工服务。",
        "all-busy": "非常抱歉，坐席全忙，请稍后再拨。再见。",
        "call-back-offer": "坐席正忙。不想等待，请按星号键，我们给您回电。",
        "call-back-number": "请输入您的回电号码，按井号键结束。",
        "call-back": "好的，我们会尽快给您回电。再见。",
        "code-ready": "您已就绪。",
        "code-break-short": "您已小休。",
        "code-break-lunch": "您已午餐休息。",
        "code-break-training": "您已参加培训。",
        "code-break-meeting": "您已参加会议。",
        "code-break-later": "您的休息将在本次通话和整理结束后开始。",
        "code-log-out": "您已签出。",
        "code-wrap-up-over": "整理已结束。",
        "code-wrap-up-longer": "整理时间已延长一分钟。",
        "code-park": "客户已驻留。",
        "code-help": "已请求支援。",
        "code-whom": "请输入转接号码，按井号键结束。",
        "code-no-number": "不能转接到这个号码。",
        "code-not-free": "对方现在不能接听。",
        "code-no-wrap-up": "您不在整理状态。",
        "code-no-more-time": "整理时间不能再延长。",
        "code-no-call": "您没有可以这样处理的客户通话。",
        "code-none-parked": "没有驻留的客户。",
        "code-do-not-call": "该号码在禁呼名单中，不能呼叫。",
        "code-hours": "现在不在允许呼叫客户的时间内。",
        "code-refused": "您不能使用这个功能。",
        "code-nobody": "系统没有响应，请稍后再试。",
        "ahead-many": f"您前面还有{AHEAD}位以上的来电，请稍候。",
    },
    "en": {
        "greeting": "Welcome to our service line. This call is recorded. We are connecting you to an agent.",
        "all-busy": "We are sorry, all our agents are busy. Please call again later. Goodbye.",
        "call-back-offer": "All our agents are busy. Rather than wait, press star and we will call you back.",
        "call-back-number": "Please enter the number we shall call, then press pound.",
        "call-back": "Thank you. We will call you back as soon as we can. Goodbye.",
        "code-ready": "You are ready.",
        "code-break-short": "You are on a short break.",
        "code-break-lunch": "You are at lunch.",
        "code-break-training": "You are in training.",
        "code-break-meeting": "You are in a meeting.",
        "code-break-later": "Your break begins after this call and its wrap-up.",
        "code-log-out": "You are logged out.",
        "code-wrap-up-over": "Your wrap-up is over.",
        "code-wrap-up-longer": "One more minute of wrap-up.",
        "code-park": "The customer is parked.",
        "code-help": "Help was asked for.",
        "code-whom": "Enter the number, then press pound.",
        "code-no-number": "You cannot transfer to this number.",
        "code-not-free": "Your colleague cannot take a call now.",
        "code-no-wrap-up": "You are not in wrap-up.",
        "code-no-more-time": "Your wrap-up cannot be longer.",
        "code-no-call": "You have no customer with whom to do this.",
        "code-none-parked": "No customer is parked.",
        "code-do-not-call": "This number is on the do-not-call list.",
        "code-hours": "Customers cannot be called at this hour.",
        "code-refused": "You cannot use this.",
        "code-nobody": "The system does not answer. Please try again later.",
        "ahead-many": f"There are more than {AHEAD} callers before you. Please hold.",
    },
}
_ZH_DIGITS = "零一二三四五六七八九"
# The names are the ones say.c plays for Chinese.
_ZH_NUMBERS = {str(number): sign for number, sign in enumerate(_ZH_DIGITS)} | {
    "10": "十", "20": "二十", "30": "三十", "40": "四十", "50": "五十", "60": "六十", "70": "七十", "80": "八十",
    "90": "九十", "hundred": "百", "thousand": "千", "10000": "万", "wan": "万", "100000000": "亿", "yi": "亿",
    "minus": "负", "star": "星号", "pound": "井号",
}  # fmt: skip


class NoVoice(CallCenterError):
    """Prompts cannot be spoken; install the Debian package named here, or put recorded WAVs into sounds/custom."""


class BadSound(CallCenterError):
    """A sound file cannot be used; the spoken prompt is played instead."""


@dataclass
class Report:
    """What ``make`` did, by ``<language>/<folder>/<name>``."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    custom: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Prompt:
    language: Language
    folder: Literal["cc", "digits"]
    name: str
    text: str

    @property
    def path(self) -> str:
        return f"{self.language}/{self.folder}/{self.name}"


def wanted(settings: Settings) -> tuple[list[Prompt], list[str]]:
    """Every prompt the dial plan and the flows may play, and what is wrong with flows that cannot be used."""
    flows, faults = usable(settings)
    prompts = [Prompt(language, "cc", *said) for language in _FIXED for said in _fixed(settings, language)]
    prompts += [
        Prompt(language, "cc", *said)
        for flow in flows.values()
        for language in flow.languages
        for said in flow.sounds(language)
    ]
    prompts += [Prompt("zh", "digits", name, text) for name, text in _ZH_NUMBERS.items()]
    return prompts, [str(fault) for fault in faults]


def missing(settings: Settings) -> list[str]:
    """Prompts without a sound file."""
    sounds = settings.home / "sounds"
    return [prompt.path for prompt in wanted(settings)[0] if not (sounds / f"{prompt.path}.wav").is_file()]


def length_s(settings: Settings, language: str, name: str) -> float | None:
    """How long a prompt plays; None if its file is not here."""
    try:
        size = (settings.home / "sounds" / language / "cc" / f"{name}.wav").stat().st_size
    except OSError:
        return None
    return (size - _WAV_HEADER) / 2 / RATE_HZ


def make(settings: Settings) -> Report:
    """Bring every prompt to its sound file; one that stands and says the same is left alone.

    NoVoice if something must be spoken and there is no program for it. A recorded WAV that cannot be used is a
    problem in the report.
    """
    prompts, problems = wanted(settings)
    report = Report(problems=problems)
    voices = _Voices(settings.home / "sounds")
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as crew:
        for prompt, outcome in zip(prompts, crew.map(lambda prompt: _make(voices, prompt), prompts), strict=True):
            kind, problem = outcome
            if kind:
                getattr(report, kind).append(prompt.path)
            if problem:
                report.problems.append(problem)
    return report


def _make(voices: _Voices, prompt: Prompt) -> tuple[str, str]:
    """Which list of the report the prompt belongs to (empty: none), and a problem if there was one."""
    target = voices.sounds / f"{prompt.path}.wav"
    recorded = voices.sounds / "custom" / prompt.language / f"{prompt.name}.wav"
    problem = ""
    source: Path | None = None
    if prompt.folder == "cc" and recorded.is_file():
        try:
            source = voices.recorded(recorded)
        except BadSound as fault:
            problem = str(fault)
    try:
        sound = (source or voices.spoken(prompt.text, prompt.language)).read_bytes()
    except BadSound as fault:
        return "", f"{prompt.path}: {fault}"
    stands = target.is_file() and target.read_bytes() == sound
    if not stands:
        _put(target, sound)
    return ("custom" if source else "kept" if stands else "made"), problem


class _Voices:
    """Sound of a text or of a recorded file, kept by what it is made of."""

    def __init__(self, sounds: Path) -> None:
        self.sounds = sounds
        self._flite = shutil.which("flite")

    def spoken(self, text: str, language: Language) -> Path:
        pieces = [self._piece(part, part_language) for part, part_language in split(text, language)]
        if len(pieces) == 1:
            return pieces[0]
        kept = self._kept("joined", *(piece.stem for piece in pieces))
        if not kept.is_file():
            _put(kept, _wav(b"".join(_frames(piece) for piece in pieces)))
        return kept

    def recorded(self, file: Path) -> Path:
        kept = self._kept("recorded", hashlib.sha256(file.read_bytes()).hexdigest())
        if not kept.is_file():
            _put(kept, _telephone(file, "--norm=-3"))
        return kept

    def _piece(self, text: str, language: Language) -> Path:
        speech = (*_ESPEAK, "en-us+f3")
        if language == "zh":
            text, speech = pinyin(text), (*_ESPEAK, "cmn-latn-pinyin+f3")
        elif self._flite or self._kept(*_FLITE, text).is_file():
            speech = _FLITE
        kept = self._kept(*speech, text)
        if not kept.is_file():
            with tempfile.TemporaryDirectory() as folder:
                raw = str(Path(folder) / "raw.wav")
                if speech is _FLITE:
                    _run(*speech, "-o", raw, "-t", text)
                else:
                    # On its standard input: a text is never an option, whatever it begins with.
                    _run(*speech, "-w", raw, "--stdin", said=text)
                _put(kept, _telephone(Path(raw), "gain", "-n", "-3", "highpass", "200"))
        return kept

    def _kept(self, *made_of: str) -> Path:
        name = hashlib.sha256("\0".join((_VERSION, *made_of)).encode()).hexdigest()[:24]
        return self.sounds / "cache" / f"{name}.wav"


def split(text: str, language: Language) -> list[tuple[str, Language]]:
    """Cut a text where the script changes, so that each part is spoken by its own voice.

    Digits and punctuation stay with what precedes them; single Latin letters in Chinese are left to the English voice.
    """
    parts: list[tuple[str, Language]] = []
    for char in text:
        at: Language = parts[-1][1] if parts else language
        if "\u4e00" <= char <= "\u9fff":
            at = "zh"
        elif char.isalpha():
            at = "en"
        if parts and parts[-1][1] == at:
            parts[-1] = (parts[-1][0] + char, at)
        else:
            parts.append((char, at))
    return [(said, at) for part, at in parts if (said := part.strip()) and re.search(r"\w", said)]


def pinyin(text: str) -> str:
    """A Chinese text as espeak-ng's pinyin voice reads it: ``chong2 fu4 , qing3 an4 yi1``. Digits one by one."""
    spelt = text.translate({ord(str(digit)): sign for digit, sign in enumerate(_ZH_DIGITS)})
    stops = str.maketrans({"，": " , ", "、": " , ", "；": " , ", "：": " , ", "。": " . ", "！": " . ", "？": " . "})
    said = lazy_pinyin(spelt, style=Style.TONE3, neutral_tone_with_five=True)
    return " ".join(" ".join(said).translate(stops).split())


def _fixed(settings: Settings, language: Language) -> Iterator[tuple[str, str]]:
    for name, text in _FIXED[language].items():
        yield name, text.replace("{name}", settings.centre.name)
    for number in range(1, AHEAD + 1):
        if language == "zh":
            yield f"ahead-{number}", f"您前面还有{'两' if number == 2 else _ZH_NUMBERS[str(number)]}位来电，请稍候。"
        elif number == 1:
            yield "ahead-1", "There is one caller before you. Please hold."
        else:
            yield f"ahead-{number}", f"There are {number} callers before you. Please hold."


def _telephone(source: Path, *effects: str) -> bytes:
    """A sound file as the telephone wants it. BadSound if it is none, is too long or holds nothing."""
    before = [effect for effect in effects if effect.startswith("--")]
    after = [effect for effect in effects if not effect.startswith("--")]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wav"
        to = ["-r", str(RATE_HZ), "-c", "1", "-b", "16", "-e", "signed-integer", str(out)]
        # -R: the same dither each time, so the same text is the same file.
        _run("sox", "-V1", "-R", *before, "-t", "wav", str(source), *to, *after, "trim", "0", str(LONGEST_S + 1))
        sound = out.read_bytes()
        length_s = (len(sound) - _WAV_HEADER) / 2 / RATE_HZ
    if not 0.05 <= length_s <= LONGEST_S:
        raise BadSound(f"{source}: {length_s:.1f} s; a prompt has 0.05 to {LONGEST_S:.0f} s")
    return sound


def _run(program: str, *arguments: str, said: str | None = None) -> None:
    try:
        done = subprocess.run(
            [program, *arguments], input=said, capture_output=True, text=True, timeout=_PROGRAM_S, check=False
        )
    except FileNotFoundError as fault:
        raise NoVoice(f"apt-get install {program}") from fault
    except subprocess.TimeoutExpired as fault:
        raise BadSound(f"{program} did not end within {_PROGRAM_S:.0f} s") from fault
    if done.returncode != 0:
        raise BadSound(f"{program}: {done.stderr.strip()[:300]}")


def _frames(file: Path) -> bytes:
    return file.read_bytes()[_WAV_HEADER:]


def _wav(frames: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        sound.writeframes(frames)
    return out.getvalue()


def _put(target: Path, content: bytes) -> None:
    """Whole or not at all, and readable by the switch, who is another user."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
