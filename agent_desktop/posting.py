"""One signed POST to another program, and to nobody it could harm.

Signed as the Standard Webhooks say: HMAC-SHA256 over ``id.timestamp.body``. The name is looked up once and that very
address is called, so a name that points elsewhere a moment later leads nowhere; redirects are not followed.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import ipaddress
import json
import secrets
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from agent_desktop.happenings import Happening
from callcenter.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PREFIX = "whsec_"
ANSWER_READ = 2000  # bytes of the answer looked at


class WrongAddress(BadInput):
    """A webhook goes to an http or https address without a password in it, at most 500 characters long."""


class PrivateAddress(BadInput):
    """This address is inside our own network; an administrator can allow it in the setting webhooks.allow."""


class NoAddress(BadInput):
    """The name of this address is unknown."""


@dataclass(frozen=True)
class Answered:
    status: int | None
    error: str
    took_ms: int

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


# --- where to ------------------------------------------------------------------------------------------------------


def checked(url: str) -> str:
    """The address as it can be called, without asking the network about it."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WrongAddress from None
    fine = parts.scheme in ("http", "https") and parts.hostname and port != 0 and parts.username is None
    if not fine or len(url) > 500 or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise WrongAddress
    return url


def reachable(url: str, allow: Sequence[str]) -> Address:
    """The one address to call; PrivateAddress where any address of the name is not out in the world, nor allowed."""
    parts = urlsplit(checked(url))
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = {
            ipaddress.ip_address(str(one[4][0])) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        }
    except (OSError, UnicodeError, ValueError):
        raise NoAddress(host) from None
    if host not in allow:
        for one in found:
            if not _out_in_the_world(one) and not any(one in network for network in _networks(allow)):
                raise PrivateAddress(host)
    return sorted(found, key=lambda one: (one.version, int(one)))[0]


def _out_in_the_world(address: Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return (mapped or address).is_global and not address.is_multicast


def _networks(allow: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for one in allow:
        try:
            found.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            continue  # a name, compared as such
    return found


# --- what ----------------------------------------------------------------------------------------------------------


def body(happening: Happening) -> bytes:
    """What is sent; the same event is always the same bytes, as far as its rows are what they were."""
    told: Mapping[str, Any] = {
        "seq": happening.seq,
        "type": happening.type,
        "at": happening.at.isoformat().replace("+00:00", "Z"),
        "switch": happening.switch,
        "call_id": happening.call_id,
        "data": dict(happening.data),
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def signed(secret: str, message_id: str, at: int, content: bytes) -> str:
    """``v1,`` and the signature; ``at`` is seconds since 1970."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = secret.encode()
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@functools.cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def post(
    url: str, secret: str, message_id: str, content: bytes, now: datetime, *, allow: Sequence[str], timeout_s: float
) -> Answered:
    """Sent once; what came of it, never an exception."""
    began = time.monotonic()

    def answered(status: int | None, error: str) -> Answered:
        return Answered(status, error[:300], round((time.monotonic() - began) * 1000))

    try:
        address = reachable(url, allow)
    except BadInput as fault:
        return answered(None, str(fault))
    parts = urlsplit(url)
    shown = f"[{address}]" if address.version == 6 else str(address)
    place = urlunsplit(parts._replace(netloc=f"{shown}:{parts.port}" if parts.port else shown, fragment=""))
    at = int(now.timestamp())
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "callcenter-webhook/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signed(secret, message_id, at, content),
    }
    try:
        trust = _trust() if parts.scheme == "https" else False  # reading the certificates takes 30 ms
        with httpx.Client(timeout=timeout_s, follow_redirects=False, trust_env=False, verify=trust) as client:
            asked = client.build_request(
                "POST", place, content=content, headers=headers, extensions={"sni_hostname": parts.hostname or ""}
            )
            answer = client.send(asked, stream=True)
            try:
                said = next(answer.iter_bytes(ANSWER_READ), b"")[:200].decode(errors="replace")
            finally:
                answer.close()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as fault:
        return answered(None, f"{type(fault).__name__}: {fault}")
    fine = 200 <= answer.status_code < 300
    return answered(answer.status_code, "" if fine else "".join(char if char.isprintable() else " " for char in said))
