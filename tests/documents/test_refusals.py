"""Errors: text, code, and copies of them."""

from __future__ import annotations

import pickle

import pytest

from kfq_async.documents import PdfError, PdfProblem, PositionRefused, Refusal


@pytest.mark.parametrize(
    ("refusal", "code"), [(Refusal.BUSINESS, 31_000), (Refusal.INTERNAL, 500), (Refusal.UNHANDLED, 401)]
)
def test_codes(refusal: Refusal, code: int) -> None:
    """A refusal has the code of the platform's response, and survives pickling."""
    error = pickle.loads(pickle.dumps(PositionRefused("keyword", "is missing", refusal)))
    assert (str(error), error.field, error.refusal, error.code) == ("keyword is missing", "keyword", refusal, code)


def test_problems() -> None:
    """A file that cannot be read says what is wrong with it, and the error survives pickling."""
    error = pickle.loads(pickle.dumps(PdfError("the PDF is encrypted", PdfProblem.ENCRYPTED)))
    assert (str(error), error.problem) == ("the PDF is encrypted", PdfProblem.ENCRYPTED)
