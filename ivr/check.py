"""What is wrong with a flow before a caller finds out, and the flow as a picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ivr.flow import Choice, Flow, Menu, Number, Out, Step, Story, Walk, leads_to

KEYS = frozenset("0123456789*")  # not #: the switch takes it as the end of input


@dataclass(frozen=True)
class Finding:
    """Something wrong at a step, as a sentence."""

    step: str
    what: str


def check(flow: Flow, queues: Collection[str] | None = None) -> list[Finding]:
    """Every finding, in the order of the flow; ``queues`` are those that exist (None: not compared)."""
    reached = _reached(flow)
    can_end = _can_end(flow)
    round_and_round = _silent_circles(flow)
    findings: list[Finding] = []
    for name, step in flow.steps.items():
        said = list(_of_step(flow, step, queues))
        if name not in reached:
            said.append("no caller can get here")
        elif name not in can_end:
            said.append("no way leads from here to a queue")
        if name in round_and_round:
            said.append("a caller who presses nothing comes back here for ever")
        findings += [Finding(name, what) for what in said]
    findings += [
        Finding(flow.start, f"the flow has no title in {language}")
        for language in flow.languages
        if not flow.title.get(language)
    ]
    return findings + stories(flow)


def stories(flow: Flow) -> list[Finding]:
    """Walk the flow's own stories; a finding for each that ends elsewhere than it says."""
    return [
        Finding(flow.start, f"story {story.caller!r}: {what}") for story in flow.stories if (what := _tell(flow, story))
    ]


def draw(flow: Flow, language: str = "en") -> str:
    """The flow as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    for name, step in flow.steps.items():
        label = f"{name}<br/>{_label(step.say.get('zh' if language == 'zh' else 'en', ''))}"
        if isinstance(step, Out):
            label += f"<br/>{step.queue or 'default queue'}"
        left, right = {Menu: ("{{", "}}"), Number: ("[/", "/]"), Out: ("([", "])")}.get(type(step), ("[", "]"))
        lines.append(f'    {name}{left}"{label}"{right}')
        ways = [f"{name} -->|{said}| {to}" if said else f"{name} --> {to}" for said, to in leads_to(step)]
        lines += [f"    {way}" for way in ways]
    return "\n".join(lines) + "\n"


def _of_step(flow: Flow, step: Step, queues: Collection[str] | None) -> Iterator[str]:
    spoken = [("", step.say)] if not isinstance(step, Out) or step.say else []
    if isinstance(step, Menu | Number) and step.again:
        spoken.append((" to say when it repeats", step.again))
    for what, texts in spoken:
        for language in flow.languages:
            if not texts.get(language):
                yield f"nothing{what} in {language}"
    if isinstance(step, Menu):
        unknown = sorted(set(step.keys) - KEYS)
        if unknown:
            yield f"a telephone menu cannot hear the key {', '.join(unknown)}; use {''.join(sorted(KEYS))}"
        for key, choice in step.keys.items():
            if isinstance(choice, Choice) and choice.language not in (None, *flow.languages):
                yield f"key {key} chooses {choice.language}, which the flow does not speak"
    if isinstance(step, Number) and step.digits.least > step.digits.most:
        yield f"a number cannot have at least {step.digits.least} and at most {step.digits.most} digits"
    if isinstance(step, Out) and queues is not None and step.queue and step.queue not in queues:
        yield f"there is no queue {step.queue}"


def _reached(flow: Flow) -> set[str]:
    reached: set[str] = set()
    ahead = [flow.start]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += [to for _, to in leads_to(flow.steps[name])]
    return reached


def _can_end(flow: Flow) -> set[str]:
    """Steps from which some way leads out."""
    can_end = {name for name, step in flow.steps.items() if isinstance(step, Out)}
    grown = True
    while grown:
        more = {n for n, step in flow.steps.items() if any(to in can_end for _, to in leads_to(step))} - can_end
        can_end |= more
        grown = bool(more)
    return can_end


def _silent_circles(flow: Flow) -> set[str]:
    """Steps a caller who never presses anything meets again and again."""
    after = {
        name: next((to for said, to in leads_to(step) if said in ("", "silence")), None)
        for name, step in flow.steps.items()
    }
    circles: set[str] = set()
    for name in flow.steps:
        seen: list[str] = []
        at: str | None = name
        while at is not None and at not in seen:
            seen.append(at)
            at = after[at]
        if at is not None:
            circles |= set(seen[seen.index(at) :])
    return circles


def _tell(flow: Flow, story: Story) -> str:
    walk = Walk(flow, story.language)
    for number, keys in enumerate(story.presses):
        if walk.out is not None:
            return f"is over after {number} of {len(story.presses)} presses"
        walk.press(keys) if keys else walk.silence()
    out = walk.out
    if out is None:
        return f"is still at {walk.name}"
    came = (out.queue, out.kind, walk.serial)
    meant = (story.queue, story.kind, story.serial)
    return "" if came == meant else f"ends with {_end(*came)}, not {_end(*meant)}"


def _end(queue: str, kind: str | None, serial: str) -> str:
    return f"queue {queue or 'default'}, kind {kind or 'none'}, engine number {serial or 'none'}"


def _label(text: str) -> str:
    short = text if len(text) <= 40 else text[:39] + "…"
    return short.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
