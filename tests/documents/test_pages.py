"""Page lists, as the platform reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.documents import PositionRefused, Refusal, select_pages


@pytest.mark.parametrize(
    ("page_config", "pages"),
    [
        ("ALL", (1, 2, 3, 4, 5)),
        ("EVEN_NUMBER", (1, 3, 5)),
        ("ODD_NUMBER", (2, 4)),
        ("2", (2,)),
        ("1,2,4-5", (1, 2, 4, 5)),
        ("3,1", (3, 1)),
        ("2,1-3,2", (2, 1, 2, 3, 2)),
        ("4,", (4,)),
        ("4,,,", (4,)),
        ("002", (2,)),
        ("+3", (3,)),
        ("３", (3,)),
        ("2-3-9", (2, 3)),
        ("3-1,2", (2,)),
        ("-,2", (2,)),
    ],
)
def test_selected_pages(page_config: str, pages: tuple[int, ...]) -> None:
    """Pages keep the order of the list and repeat; even and odd are swapped; trailing empty parts are dropped."""
    assert select_pages(page_config, 5, "SIGNATURE") == pages


@pytest.mark.parametrize(
    ("page_config", "pages"),
    [("EVEN_NUMBER", (2, 4)), ("ODD_NUMBER", (1, 3, 5)), ("ALL", (1, 2, 3, 4, 5)), ("2,9", (1, 2, 3, 4, 5))],
)
def test_pages_of_a_cross_page_seal(page_config: str, pages: tuple[int, ...]) -> None:
    """A cross-page seal does not swap even and odd, and takes a list for all pages."""
    assert select_pages(page_config, 5, "CHOP_STAMP") == pages


@pytest.mark.parametrize(
    ("page_config", "refusal"),
    [
        (None, Refusal.BUSINESS),
        ("", Refusal.BUSINESS),
        (",", Refusal.BUSINESS),
        ("-", Refusal.BUSINESS),
        ("0", Refusal.BUSINESS),
        ("0-2", Refusal.BUSINESS),
        ("3-1", Refusal.BUSINESS),
        (",1", Refusal.INTERNAL),
        ("1,,2", Refusal.INTERNAL),
        (" 1", Refusal.INTERNAL),
        ("1 ", Refusal.INTERNAL),
        ("2, 3", Refusal.INTERNAL),
        ("-1", Refusal.INTERNAL),
        ("2-", Refusal.INTERNAL),
        ("6", Refusal.INTERNAL),
        ("4-6", Refusal.INTERNAL),
        ("1-2000000000", Refusal.INTERNAL),
        ("2147483648", Refusal.INTERNAL),
        ("1" * 500, Refusal.INTERNAL),
        ("1.5", Refusal.INTERNAL),
        ("1;2", Refusal.INTERNAL),
        ("all", Refusal.INTERNAL),
    ],
)
def test_refused_lists(page_config: str | None, refusal: Refusal) -> None:
    """A list without a page is 31000; one that is malformed or leaves the document is an internal failure."""
    with pytest.raises(PositionRefused) as refused:
        select_pages(page_config, 5, "SEAL")
    assert (refused.value.field, refused.value.refusal) == ("pageConfig", refusal)


@pytest.mark.parametrize(("control", "page_config"), [("SEAL", "ODD_NUMBER"), ("CHOP_STAMP", "EVEN_NUMBER")])
def test_a_document_of_one_page_has_no_second(control: str, page_config: str) -> None:
    """Every other page from the second on is none in a document of one page."""
    with pytest.raises(PositionRefused, match=r"^pageConfig selects no page of the document$"):
        select_pages(page_config, 1, control)


@given(st.text("0123456789,- ALL", max_size=12), st.integers(1, 9))
def test_any_list_is_selected_or_refused(page_config: str, count: int) -> None:
    """Every text selects pages of the document, or is refused."""
    try:
        pages = select_pages(page_config, count, "SEAL")
    except PositionRefused:
        return
    assert set(pages) <= set(range(1, count + 1))
