"""Messages of unhandled failures: what is kept ends before they repeat the request, in whatever form."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.models.masking import MaskedStr
from kfq_async.protocol.repetition import MAX_KEPT, MAX_PARSED, cut_repetition, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = "操作失败，无法读取请求："
SECRETS = {
    "token": "T0KENabc",
    "identity": "11010119900307123X",
    "bank card": "6222020200012345678",
    "mobile": "13800138000",
    "name": "欧阳修",
    "page": "https://your-domain.example/back?state=PAGE-SECRET",
}
REQUEST: dict[str, Any] = {
    "appAuthToken": SECRETS["token"],
    "uniqueCode": "0f" * 16,
    "autoFinish": "yes",
    "operator": {"name": SECRETS["name"], "contact": SECRETS["mobile"]},
    "identities": [{"identity": SECRETS["identity"]}, [SECRETS["bank card"], SECRETS["page"], 1, None, True]],
}
BODY = orjson.dumps(REQUEST)


def flat(value: Any, name: str = "request") -> dict[str, str]:
    """Return the values of JSON data with their paths as names."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    fields: dict[str, str] = {}
    for key, item in items:
        path = f"{name}.{key}"
        fields |= flat(item, path) if isinstance(item, dict | list) else {path: str(item)}
    return fields


FORMS: dict[str, Callable[[], str]] = {
    "json": BODY.decode,
    "json without its beginning": lambda: BODY.decode()[20:],
    "json in json": lambda: json.dumps(BODY.decode(), ensure_ascii=False),
    "ascii": lambda: json.dumps(REQUEST),
    "ascii in json": lambda: json.dumps(json.dumps(REQUEST))[1:-1],
    "indented": lambda: json.dumps(REQUEST, ensure_ascii=False, indent=2),
    "escaped letters": lambda: "".join(f"\\u{ord(letter):04x}" for letter in BODY.decode()),
    "percent-encoded": lambda: quote(BODY, safe=""),
    "form": lambda: urlencode(flat(REQUEST)),
    "html": lambda: html.escape(BODY.decode()),
    "numeric entities": lambda: "".join(f"&#{ord(letter)};" for letter in BODY.decode()),
    "base64": lambda: base64.b64encode(BODY).decode(),
    "url-safe base64": lambda: base64.urlsafe_b64encode(BODY).decode(),
    "hexadecimal": BODY.hex,
    "hexadecimal with blanks": lambda: BODY.hex(" "),
    "map": lambda: str(flat(REQUEST)).replace("'", "").replace(": ", "="),
    "object": lambda: f"Draft(operator=Person(name={SECRETS['name']}, contact={SECRETS['mobile']}), token=T0KENabc)",
    "token first": lambda: f"token {SECRETS['token']} of {SECRETS['name']}",
    "token in capitals": lambda: f"token {SECRETS['token'].upper()} 无效",
    "grouped numbers": lambda: "138 0013 8000 或 6222-0202-0001-2345-678",
    "values": lambda: "，".join(SECRETS.values()),
    "repeated often": lambda: BODY.decode() * 300,
}


def decodings(text: str) -> list[str]:
    """Return a text, and what its escapes stand for."""
    return [text, html.unescape(text), text.encode("ascii", "replace").decode("unicode_escape", "replace")]


@pytest.mark.parametrize("form", FORMS)
def test_repeated_request_is_cut(form: str) -> None:
    """Nothing of the request is kept, and what the platform says itself is."""
    kept = cut_repetition(OWN + FORMS[form](), [SECRETS["token"], *texts_of(BODY)])
    assert kept.startswith(OWN)
    shown = "".join(decodings(kept)).lower()
    assert not [name for name, value in SECRETS.items() if value.lower() in shown]
    assert not any(digit.isdigit() for digit in kept[len(OWN) + 2 :])


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"form", "token first", "token in capitals", "values"}))
def test_repeated_request_is_recognised_by_itself(form: str) -> None:
    """Structured data, escapes and numbers are recognised without the request; names and tokens need it."""
    kept = cut_repetition(OWN + FORMS[form]())
    assert not [name for name in ("identity", "bank card", "mobile") if SECRETS[name] in kept]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "操作失败，null",
        "请勿频繁操作",
        "操作失败，Data truncation: Data too long for column 'subject' at row 1",
        "操作失败，nested exception is org.example.converter.HttpMessageNotReadableException: JSON 100% & more",
        "\n### SQL: INSERT INTO contract (id, name) VALUES (?, ?)",
    ],
)
def test_own_words_are_kept(message: str) -> None:
    """A message that repeats nothing is kept as it is, with a masked ``repr``."""
    kept = cut_repetition(message, ["1", "0", "", "SIGNATURE-X", "李四"])
    assert kept == message
    assert type(kept) is MaskedStr


def test_short_texts() -> None:
    """A short text of ASCII, which occurs anywhere, does not end a message; one character of Chinese does."""
    assert cut_repetition("row 1 of MOBILE", ["1", "row"]) == "row 1 of MOBILE"
    assert cut_repetition("姓名 张 不存在", ["张"]) == "姓名 "


def test_long_messages_and_texts() -> None:
    """Of a long message the beginning is kept, and a text that its end cuts off is not."""
    assert len(cut_repetition("x " * 5_000_000)) == MAX_KEPT
    secret = "state is " * 100
    assert cut_repetition("x " * 495 + secret, [secret]) == "x " * 495


def test_texts_of_a_body() -> None:
    """The texts are found at any depth; a body as large as a file's is not searched."""
    assert set(texts_of(BODY)) >= {*SECRETS.values(), "yes"}
    nested: object = "深"
    for _ in range(100):
        nested = [{"a": nested}]
    assert list(texts_of(orjson.dumps({"a": nested}))) == ["深"]
    assert list(texts_of(b"x" * (MAX_PARSED + 1))) == []


@given(st.text(), st.text(min_size=4), st.text())
def test_text_sent_is_never_kept(before: str, sent: str, after: str) -> None:
    """A text of the request is not in what is kept, and what is kept is the beginning of the message."""
    message = before + sent + after
    kept = cut_repetition(message, [sent])
    assert sent not in kept
    assert message.startswith(kept)
