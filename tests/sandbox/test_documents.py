"""Documents of a contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from contract_platform import ContractPlatform, receiver, text_pdf
from kfq_async.documents.pdf import load_pdfminer
from kfq_async.sandbox.checks import AuditedRefusal, Refused
from kfq_async.sandbox.documents import ContractDocuments
from kfq_async.sandbox.store import StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterator


def documents(content: bytes) -> ContractDocuments:
    """Return one document."""
    file = StoredFile(file_id="d-1", kind="document", name="合同", suffix=".pdf", content=content, created_at=0)
    return ContractDocuments([file])


@pytest.fixture
def no_extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let pdfminer.six be not installed."""
    monkeypatch.setitem(sys.modules, "pdfminer.pdfdocument", None)
    load_pdfminer.cache_clear()
    yield
    monkeypatch.undo()
    load_pdfminer.cache_clear()


def test_opened_once() -> None:
    """A document is opened once, and has its pages."""
    opened = documents(text_pdf(4, "A"))
    opened.check()
    assert opened.open("d-1") is opened.open("d-1")
    assert len(opened.open("d-1").pages) == 4


def test_damaged() -> None:
    """A damaged document is refused in the platform's second form, and cannot be opened."""
    damaged = documents(b"%PDF-1.7\nnothing else\n%%EOF\n")
    with pytest.raises(AuditedRefusal):
        damaged.check()
    with pytest.raises(Refused, match="无法读取"):
        damaged.open("d-1")


def test_encrypted() -> None:
    """An encrypted document passes a draft without positions."""
    encrypted = documents(
        text_pdf(1, "A").replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] /Encrypt << /Filter /Standard /V 9 >>")
    )
    encrypted.check()
    with pytest.raises(Refused, match="encrypted"):
        encrypted.open("d-1")


@pytest.mark.usefixtures("no_extra")
def test_without_the_extra() -> None:
    """Without the extra a draft without positions works, and one with positions says what to install."""
    platform = ContractPlatform()
    platform.draft(receiver(), send="0")
    fields = platform.draft_fields(platform.signer(), send="0")
    response = platform.ask("/contract/draft", **fields)
    assert (response.code, "kfq-async[sandbox]" in response.message) == (31000, True)
