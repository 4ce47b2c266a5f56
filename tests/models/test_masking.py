"""Masked text: the ``repr`` shows nothing, and everything else sees the text."""

from __future__ import annotations

import copy
import json
import pickle
import sqlite3
import traceback
from inspect import signature
from io import StringIO
from typing import TYPE_CHECKING

import orjson
import pytest
from rich.console import Console
from rich.pretty import Pretty
from yarl import URL

from kfq_async.models.masking import (
    MaskedBytes,
    MaskedStr,
    hide_arguments,
    mask_secret,
    mask_text,
    mask_texts,
    plain_text,
    type_name,
)
from named_texts import NamedText

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "https://platform.example/auth?code=" + "a1" * 60


@pytest.mark.parametrize(
    "shown", [repr, ascii, "{!r}".format, "%r".__mod__, lambda text: f"{text=}", lambda text: repr([text])]
)
def test_repr_of_a_masked_text_shows_nothing_of_it(shown: Callable[[object], str]) -> None:
    """No way to write the ``repr`` shows the text."""
    assert "code" not in shown(MaskedStr(SECRET))
    assert "code" not in shown(MaskedBytes(SECRET.encode()))


def test_a_slice_is_masked() -> None:
    """Tools that shorten long values show the ``repr`` of a slice."""
    assert repr(MaskedStr(SECRET)[:80]) == "'***'"
    assert repr(MaskedBytes(SECRET.encode())[:80]) == "b'***'"
    assert MaskedStr(SECRET)[8] == "p"
    assert MaskedBytes(b"ab")[0] == 97


@pytest.mark.parametrize("secret", [MaskedStr(SECRET), MaskedBytes(SECRET.encode())])
def test_rich_shows_nothing_of_a_long_text(secret: MaskedStr | MaskedBytes) -> None:
    """Rich slices a long text before it shows it."""
    output = StringIO()
    Console(file=output, width=500).print(Pretty({"secret": secret}, max_string=80))
    assert "platform" not in output.getvalue()


def test_a_masked_text_is_its_text() -> None:
    """Comparison, formatting, JSON and URLs see the text."""
    text = MaskedStr(SECRET)
    assert text == SECRET
    assert hash(text) == hash(SECRET)
    assert f"{text}" == str(text) == SECRET
    assert type(str(text)) is str
    assert json.loads(json.dumps({"url": text})) == orjson.loads(orjson.dumps({"url": text})) == {"url": SECRET}
    assert URL(text) == URL(SECRET)


@pytest.mark.parametrize("secret", [MaskedStr(SECRET), MaskedBytes(SECRET.encode())])
def test_copies_keep_text_and_mask(secret: MaskedStr | MaskedBytes) -> None:
    """A copy, also by pickle, has the text and the mask."""
    for twin in (pickle.loads(pickle.dumps(secret)), copy.copy(secret), copy.deepcopy(secret)):
        assert twin == secret
        assert type(twin) is type(secret)


def test_sqlite_stores_the_text() -> None:
    """A database driver sees the text."""
    with sqlite3.connect(":memory:") as database:
        row = database.execute("select ?, ?", (MaskedStr(SECRET), MaskedBytes(SECRET.encode()))).fetchone()
    database.close()
    assert row == (SECRET, SECRET.encode())


def test_mask_secret_masks_text_and_bytes() -> None:
    """Text and bytes are masked, and their type has its plain name; other values are left alone."""
    assert [type(mask_secret(value)) for value in ("text", b"bytes", 5)] == [MaskedStr, MaskedBytes, int]
    assert [type_name(mask_secret(value)) for value in ("text", b"bytes", 5, None)] == [
        "str",
        "bytes",
        "int",
        "NoneType",
    ]


def test_mask_text_leaves_other_values_alone() -> None:
    """Only text is converted, and masked text is returned as it is."""
    assert type(mask_text("text")) is MaskedStr
    assert mask_text(None) is None
    assert mask_text(5) == 5
    text = MaskedStr("text")
    assert mask_text(text) is text


def test_text_of_a_subclass() -> None:
    """A text of a subclass is masked, and keeps its characters whatever its ``__str__`` returns."""
    assert plain_text(NamedText.TOKEN) == "app-token"
    assert type(plain_text(MaskedStr("a"))) is str
    for masked in (mask_text(NamedText.TOKEN), mask_secret(NamedText.TOKEN)):
        assert masked == "app-token"
        assert repr(masked) == "'***'"


class Tokens:
    """A class with a method whose arguments are hidden."""

    @hide_arguments
    def check(self, token: object, *, number: int = 0) -> int:
        """Return ``number``."""
        if not isinstance(token, str):
            raise TypeError("token must be a str")
        return number


def test_hidden_arguments() -> None:
    """A decorated function returns and raises as before, and no frame of the package shows an argument."""
    assert Tokens().check("a", number=5) == 5
    assert list(signature(Tokens.check).parameters) == ["self", "token", "number"]
    with pytest.raises(TypeError, match="token must be a str") as caught:
        Tokens().check(["SECRET"])
    _, *frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert frames
    assert "SECRET" not in "".join(repr(frame.f_locals) for frame in frames)


def test_texts_of_json_data_are_masked_in_a_copy() -> None:
    """Every text is masked, however deep; keys, other values and the data itself stay as they are."""
    data = {"url": SECRET, "list": [SECRET, {"name": SECRET}, [SECRET, 5, None, True]], "empty": {}}
    masked = mask_texts(data)
    assert repr(masked) == repr(data).replace(repr(SECRET), "'***'")
    assert masked == data
    assert SECRET in repr(data)
    assert repr(mask_texts(SECRET)) == "'***'"
    assert mask_texts(5) == 5


def test_deeply_nested_data_is_masked() -> None:
    """The depth is not bounded by Python's recursion."""
    data: object = SECRET
    for _ in range(10_000):
        data = [data]
    masked = mask_texts(data)
    for _ in range(10_000):
        masked = masked[0]
    assert repr(masked) == "'***'"
