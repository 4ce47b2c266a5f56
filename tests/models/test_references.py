"""References at the end of documents' names."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.models.references import check_reference, find_reference, format_reference

ID = UUID("6f2c1f0e-6c53-4d5b-9a0e-2f6d3b7c8a91")
REFERENCES = st.text(f"{ascii_letters}{digits}-", min_size=1, max_size=32)


@pytest.mark.parametrize("value", ["A", "po-42", "0" * 32, "-", ID.hex])
def test_accepted(value: str) -> None:
    """Letters, digits and hyphens are a reference."""
    check_reference("reference", value)


@pytest.mark.parametrize("value", ["", "0" * 33, "PO_42", "PO 42", "订单", "é", "４２", "42\n", "a〕", str(ID)])
def test_refused(value: str) -> None:
    """Anything else is refused, with what is right."""
    with pytest.raises(ValueError, match=r"^reference must be 1 to 32 ASCII letters, digits and hyphens: pass "):
        check_reference("reference", value)


@pytest.mark.parametrize("value", [None, 42, b"42"])
def test_wrong_type(value: Any) -> None:
    """A reference is a text."""
    with pytest.raises(
        TypeError, match=rf"^reference must be a str, not {type(value).__name__}: write numbers as text"
    ):
        check_reference("reference", value)


@given(st.text(), REFERENCES, st.sampled_from(["", ".pdf", ".PDF", ".docx.pdf"]))
def test_found(name: str, reference: str, suffix: str) -> None:
    """A reference is found at the end of any name, one after another reference included."""
    assert find_reference(f"{name}{format_reference(reference)}{suffix}") == reference


@pytest.mark.parametrize(
    "name",
    [
        "",
        "合同.pdf",
        "合同〔PO-42〕终稿.pdf",
        "合同〔PO 42〕.pdf",
        "合同〔〕.pdf",
        f"〔{'0' * 33}〕",
        "〔42〕\n",
        "[42].pdf",
    ],
)
def test_absent(name: str) -> None:
    """Any other name has no reference."""
    assert find_reference(name) is None
