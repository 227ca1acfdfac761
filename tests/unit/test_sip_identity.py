"""A browser phone speaks as its own extension; the tricks are those of people who would like to be somebody else."""

from __future__ import annotations

import pytest

from agent_desktop.sip import speaks_as

BODY = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"


def message(
    method: str = "INVITE",
    sender: str = '"王芳" <sip:1001@callcenter>;tag=a1',
    to: str = "<sip:4008@callcenter>",
    body: str = "",
    more: str = "",
    length: int | None = None,
) -> str:
    size = len(body.encode()) if length is None else length
    return (
        f"{method} sip:4008@callcenter SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9\r\nFrom: {sender}\r\nTo: {to}\r\n"
        f"Call-ID: 1\r\nCSeq: 1 {method}\r\n{more}Content-Length: {size}\r\n\r\n{body}"
    )


def own(method: str, more: str = "") -> str:
    return message(method, to="<sip:1001@callcenter>", more=more)


@pytest.mark.parametrize(
    "frame",
    [
        own("REGISTER"),
        own("REGISTER", more='Authorization: Digest username="1001", realm="asterisk", uri="sip:x"\r\n'),
        message(body=BODY),
        message(sender="sip:1001@callcenter;tag=a1"),
        message("BYE", sender="<sip:q7x@x.invalid>;tag=b", to='"4008" <sip:13800138000@127.0.0.1>;tag=as1'),
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/WS x\r\nContent-Length: 0\r\n\r\n",
        "\r\n\r\n",
        message().replace("From:", "f:").replace("To:", "t :").replace("Content-Length:", "l:"),
    ],
)
def test_he_may_speak_as_himself(frame):
    assert speaks_as(frame, "1001")


@pytest.mark.parametrize(
    "frame",
    [
        message("REGISTER", sender="<sip:1002@callcenter>;tag=a", to="<sip:1002@callcenter>"),
        message("REGISTER", to="<sip:1002@callcenter>"),  # his own From, another's phone
        message("REGISTER", to="<sip:1002@callcenter>;tag=x"),  # as if it were a dialogue
        message(sender='"<sip:1001@callcenter>" <sip:1002@callcenter>;tag=a'),
        message(sender='<sip:1002@callcenter>;x="<sip:1001@callcenter>"'),
        message(sender="<sip:1002@callcenter>;x=<sip:1001@callcenter>"),
        message(sender="<sip:1001%40@callcenter>"),
        message(sender="<sip:%31001@callcenter>"),
        message(sender="<sip:1001:secret@callcenter>", to="<sip:1001@x>").replace("1001:secret", "1002:1001"),
        message(sender="<tel:1001>"),
        message(more="From: <sip:1002@callcenter>\r\n"),
        message(more="f: <sip:1002@callcenter>\r\n"),
        message(more='Authorization: Digest username="1002", realm="asterisk"\r\n'),
        message(more='Authorization: Digest username="1001", username="1002"\r\n'),
        message(more='Proxy-Authorization: Digest Username = "1002"\r\n'),
        message("BYE", sender="<sip:q@x>", to="<sip:1@x>;tag=1", more='Authorization: Digest username="1002"\r\n'),
        message(more="X: a\r\n From: <sip:1002@callcenter>\r\n"),
        message(more="X: a\nFrom: <sip:1002@callcenter>\r\n"),
        message().replace("From: ", "From: \r\n "),
        message(length=0, body="REGISTER sip:callcenter SIP/2.0\r\nFrom: <sip:1002@x>\r\n\r\n"),
        message(more="Content-Length: 0\r\n"),
        message(length=5),
        message().replace("Content-Length: 0\r\n", ""),
        "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n" + own("REGISTER").replace("1001", "1002"),
        "INVITE sip:4008@callcenter SIP/2.0",
    ],
)
def test_he_may_not_speak_as_somebody_else(frame):
    assert not speaks_as(frame, "1001")
