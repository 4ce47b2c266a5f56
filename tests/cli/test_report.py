"""Table and summary line of `kfq demo`."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from kfq_async.cli.report import Counts, DemoCompany, print_report
from kfq_async.onboarding import Entry, Outcome, OutcomeStatus, State


def company(
    number: int,
    *,
    name: str | None = "广州市天河区沅溪汽车维修店（个体工商户）",
    attempts: int = 1,
    reason: str | None = None,
) -> DemoCompany:
    """Return a company with its link, or with the reason why it has none."""
    order = f"SBX{number:012}"
    link = f"http://127.0.0.1:40117/sandbox/identify/{order}?code=DbDKafYxOeo2"
    entry = Entry(
        key_hash=b"",
        generation=1,
        client_request_id=f"id-{number}",
        body_hash=b"",
        row_number=number,
        state=State.UNKNOWN if reason else State.LINKED,
        order_no=None if reason else order,
        auth_url=None if reason else link,
        reason=reason,
        attempts=attempts,
    )
    status = OutcomeStatus.UNKNOWN if reason else OutcomeStatus.LINKED
    return DemoCompany(name, Outcome(row_number=number, status=status, sent=True, entry=entry))


def pending_company(number: int) -> DemoCompany:
    """Return a company for which nothing was sent."""
    return DemoCompany("甲", Outcome(row_number=number, status=OutcomeStatus.PENDING, sent=False))


def printed(companies: list[DemoCompany], width: int | None, *, show_all: bool = False) -> list[str]:
    """Print the report on a terminal of this width, or to a file, and return its lines."""
    file = io.StringIO()
    console = Console(
        file=file, width=width or 80, force_terminal=width is not None, color_system=None, highlight=False
    )
    order_ids = [f"id-{company.outcome.row_number}" for company in companies]
    print_report(companies, Counts.of(companies, order_ids), console, show_all=show_all)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("order_ids", "duplicates"),
    [
        (["id-1", "id-2"], 0),
        (["id-1", "id-2", "id-2"], 1),
        (["id-1", "id-2", "another"], 1),
        (["id-1", "id-2", None], 1),
        (["id-1"], 0),
    ],
)
def test_duplicates(order_ids: list[str | None], duplicates: int) -> None:
    """A second order for an id is a duplicate, and so is an order for an id that was never assigned."""
    counts = Counts.of([company(1, name="甲"), company(2, name="甲")], order_ids)
    assert counts.duplicates == duplicates
    assert counts.passed is (duplicates == 0)


def test_pending_company() -> None:
    """A company for which nothing was sent has no attempts, no link and no order."""
    counts = Counts.of([company(1, attempts=3), pending_company(2)], ["id-1"])
    assert (counts.companies, counts.links, counts.retries, counts.passed) == (2, 1, 2, False)
    assert [cell.plain for cell in pending_company(2).cells] == ["甲", "-", "pending", "0"]


@pytest.mark.parametrize("width", [80, 120, 200, None])
def test_names_and_links_are_whole(width: int | None) -> None:
    """Names and links are neither cut nor folded at any width, and no line is longer than the terminal."""
    lines = printed([company(number) for number in range(3)], width)
    for number in range(3):
        cells = company(number).cells
        assert all(any(cell.plain in line for line in lines) for cell in cells)
    assert max(map(cell_len, lines)) <= (width or 160)
    assert lines[-1].startswith("3 companies, 3 links, 0 retries, 3 orders")


def test_long_lines_in_a_file() -> None:
    """A file gets a table with one line per company, however long its name."""
    lines = printed([company(1, name="甲" * 200), company(2)], None)
    (line,) = (line for line in lines if "SBX000000000001" in line)
    assert "甲" * 200 in line
    assert "code=DbDKafYxOeo2" in line


def test_terminal_shows_a_selection() -> None:
    """A terminal shows the first companies and those that needed a retry or have no link, or all with --all."""
    companies = [*(company(number) for number in range(40)), company(40, attempts=2), company(41, reason="no route")]
    short = "\n".join(printed(companies, 120))
    assert all(f"SBX{number:012}" in short for number in (0, 9, 40))
    assert "SBX000000000010" not in short
    assert "no route" in short
    assert "30 more got their link at the first attempt; show them with --all." in short
    for full in ("\n".join(printed(companies, 120, show_all=True)), "\n".join(printed(companies, None))):
        assert all(f"SBX{number:012}" in full for number in range(41))
        assert "--all" not in full


def test_notice_about_links() -> None:
    """A notice says that these links no longer open, and how to get one that does."""
    *_, ended, advice, _ = printed([company(1)], 80)
    assert "its links no longer open" in ended
    assert "kfq sandbox" in advice
    assert "kfq link" in advice


def test_summary_fits_80_columns() -> None:
    """The summary of thousands of companies fits a narrow terminal."""
    counts = Counts(companies=9999, links=9999, retries=999, orders=9999, duplicates=0)
    assert len(counts.line(80)) <= 80
    assert "9999 orders in the sandbox" in counts.line(120)


def test_names_are_printable() -> None:
    """Brackets are no markup, control characters become blanks, and a missing name has a placeholder."""
    shown = "\n".join(printed([company(1, name="[red]甲[/red]\x1b[2J\n乙"), company(2, name=None)], 200))
    assert "[red]甲[/red] [2J 乙" in shown
    assert "(no name)" in shown
