"""Requests for uploads: types of their fields, and what their ``repr`` shows."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import pytest

from kfq_async import AttachmentUpload, DocumentUpload


class _AsyncFile:
    async def read(self, _: int = -1) -> bytes:
        return b""


async def _progress(*_: int) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("source", "options", "text"),
    [
        (5, {}, "DocumentUpload.source must be a path, bytes, a binary file or an async iterable of bytes, not int"),
        ([b"a"], {}, "not list"),
        (None, {}, "not NoneType"),
        (_AsyncFile(), {}, "must not be an asynchronous file: pass the file inside"),
        (io.StringIO("a"), {}, "must be a binary file, not a text file: open it with mode 'rb'"),
        (b"", {"name": 5}, "DocumentUpload.name must be a str"),
        (b"", {"suffix": b".pdf"}, "DocumentUpload.suffix must be a str"),
        (b"", {"reference": 42}, "DocumentUpload.reference must be a str, not int: write numbers as text"),
        (b"", {"progress": 5}, "DocumentUpload.progress must be a plain function of two numbers, or None"),
        (b"", {"progress": _progress}, "DocumentUpload.progress must be a plain function"),
        (b"", {"progress": partial(_progress, 1)}, "DocumentUpload.progress must be a plain function"),
    ],
)
def test_wrong_type(source: Any, options: dict[str, Any], text: str) -> None:
    """A wrong argument is named, with what is right."""
    with pytest.raises(TypeError) as caught:
        DocumentUpload(source, **options)
    assert text in str(caught.value)


@pytest.mark.parametrize(("kind", "more"), [(AttachmentUpload, ""), (DocumentUpload, ", reference=None")])
def test_repr(kind: type, more: str) -> None:
    """Neither the contents nor the name of a file are shown."""
    shown = repr(kind(b"SECRET", name="SECRET", suffix=".pdf", progress=print))
    assert shown == f"{kind.__name__}(source='***', name='***', suffix='.pdf'{more})"


def test_wrong_reference() -> None:
    """A reference that is not well-formed is named, with what is right."""
    with pytest.raises(ValueError, match=r"DocumentUpload\.reference must be 1 to 32 ASCII .*: pass .* uuid4\(\)\.hex"):
        DocumentUpload(b"", reference="订单 42")
