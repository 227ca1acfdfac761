"""Names, numbers and texts from outside are shown, never obeyed."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markupsafe import escape

from callcenter.database import now
from callcenter.facts import CustomerBound
from tests.desktop import answer, arrival, ringing, tell
from ticketing import customers, engines, tickets

NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE calls; --",
    "王芳\r\nSet-Cookie: a=b",
    "=cmd|'/c calc'!A1",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202egpj.exe\u0000",
    "龙" * 119,
    "</textarea><svg onload=alert(1)>",
]


LINKS = ("href", "src", "action", "formaction")


class Page(HTMLParser):
    """What a browser would run: scripts, and attributes that are code."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.code: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        values = dict(attrs)
        if tag == "script":
            self.scripts.append(values.get("src") or "inline")
        self.code += [f"{tag} {name}" for name in values if name.startswith("on") or name == "style"]
        self.code += [f"{tag} {name}" for name in LINKS if (values.get(name) or "").startswith("javascript:")]

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_only_ever_text(desk, name):
    with desk.database.write() as db:
        clean = name.replace("\x00", "")
        customer = customers.create(
            db, "end_user", clean[:120], now(), phones=["13800138000"], region=clean[:80], address=clean, note=clean
        )
        engine = engines.create(db, "4D8325K102938", "4D83", customer_id=customer.id, vehicle=clean, vin="LSG")
        ticket = tickets.open_ticket(
            db,
            "repair",
            subject=clean,
            by="wangfang",
            now=now(),
            customer_id=customer.id,
            engine_id=engine.id,
            fields={"fault": "noise", "place": clean},
            notes=clean,
        )
        tickets.note(db, ticket, clean, by="wangfang", now=now())
    tell(desk, *arrival("tel-1.1", name=name, number=f"+86138{name}"[:40]))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"))
    tell(desk, CustomerBound(at=now(), switch="tel", call_id="tel-1.1", customer_id=customer.id, by="wangfang"))
    tell(desk, *arrival("tel-2.1", name=name, number=name[:40]))
    paths = [
        "/calls",
        "/calls/tel-1.1",
        f"/customers/{customer.id}",
        f"/engines/{engine.id}",
        f"/tickets/{ticket.id}",
        "/customers",
        "/tickets",
        "/board",
        "/reports/today",
        "/reports/today/calls?figure=offered",
        "/reports?when=today&by=agent",
        "/reports/calls?when=today&figure=offered",
        "/desk/card/tel-1.1",
    ]
    clients = {"zhaomin": desk.client("zhaomin"), "wangfang": desk.client("wangfang")}
    for path in paths:
        text = clients["wangfang" if path.startswith("/desk") else "zhaomin"].get(path)
        assert text.status_code == 200, path
        page = Page(text.text)
        assert all(script.startswith("/static/v-") for script in page.scripts), (path, page.scripts)
        assert not page.code, (path, page.code)
        assert not page.tags & {"img", "iframe", "object"}, path
        assert "49" not in page.words or "7*7" in page.words or "7*7" not in name
        assert "\u202e" not in text.text.split("<main")[0]
        assert "set-cookie" not in {header for header in text.headers if "a=b" in text.headers[header]}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_searched_for_is_only_ever_text(desk, name):
    client = desk.client("zhaomin")
    for path, field in (("/calls", "q"), ("/customers", "q"), ("/calls", "agent"), ("/tickets", "owner")):
        text = client.get(path, params={field: name[:10] if field == "agent" else name[:40]})
        assert text.status_code == 200, (path, text.text[:300])
        page = Page(text.text)
        assert all(script.startswith("/static/v-") for script in page.scripts), (path, page.scripts)
        assert not page.code, (path, page.code)


@pytest.mark.parametrize("sign", ["%", "_", "\\", "·"])
def test_a_sign_is_found_where_it_stands_and_nowhere_else(desk, sign):
    with desk.database.write() as db:
        name = f"百分之百{sign} 机械"
        customers.create(db, "dealer", name, now())
        customers.create(db, "dealer", "郑州龙工", now())
        customers.create(db, "dealer", "郑州工厂", now(), region="河南_郑%工")  # there it is said, not here
    client = desk.client("zhaomin")
    for typed in (sign, f"百{sign}", f"百分之百{sign}", f"{sign} 机械", f"之百{sign} 机"):
        found = client.get("/customers", params={"q": typed}).text
        assert str(escape(name)) in found, typed
        assert "郑州" not in found, typed
    for wild in (f"郑{sign}工", f"{sign}州", f"郑{sign}", f"{sign}{sign}"):
        assert "郑州龙工" not in client.get("/customers", params={"q": wild}).text, wild


@pytest.mark.parametrize(
    "query",
    [
        "/calls?first=2026-13-01",
        "/calls?before=x",
        "/calls?before=99999999999999999999:a",
        "/customers?before=x",
        "/tickets?before=1e9",
        "/tickets/abc",
        "/tickets/99999999999999999999999",
        "/customers/-1",
        "/reports/today?queue=none",
        "/reports/today/calls?figure=__class__",
        "/calls?q=" + "x" * 101,
    ],
)
def test_nonsense_in_an_address_is_refused_with_a_page_not_a_crash(desk, query):
    text = desk.client("zhaomin").get(query)
    assert text.status_code in (404, 422), text.status_code
    assert "data-fault=" in text.text
