"""Search of the console: the parameters of its URL; what it finds is tried on the console itself."""

from __future__ import annotations

import pytest

from kfq_async.sandbox.web.search import CONTRACT_STATES, MAX_TEXT, ORDER_STATES, Search


@pytest.mark.parametrize("state", ["", *ORDER_STATES, *CONTRACT_STATES])
def test_parameters(state: str) -> None:
    """A search is read from the parameters that it writes."""
    search = Search("某某", state)
    assert Search.of(search.fields) == search


@pytest.mark.parametrize(
    ("query", "search"),
    [
        ({}, Search()),
        ({"q": "  ", "state": ""}, Search()),
        ({"q": " 某某 ", "state": "5"}, Search("某某")),
        ({"q": "x" * 1000}, Search("x" * MAX_TEXT)),
        ({"state": "signing", "lang": "en"}, Search()),
    ],
)
def test_improper_parameters(query: dict[str, str], search: Search) -> None:
    """Spaces around a text do not count, a long one is cut, and an unknown state is none."""
    assert Search.of(query) == search


def test_states() -> None:
    """A state belongs to orders or to contracts, not to both."""
    assert not set(ORDER_STATES) & set(CONTRACT_STATES)
    assert ORDER_STATES == ("new", "1", "2", "3", "4")
