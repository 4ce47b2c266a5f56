"""What `kfq demo` shows at its end."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from kfq_async.cli.report import Counts, Outcome, print_report
from kfq_async.errors import ConnectError, EncodeError, KfqError
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.envelope import Envelope, EnvelopeKind
from kfq_async.protocol.operation import ApiResponse

ENVELOPE = Envelope(kind=EnvelopeKind.API, code=10000)


def outcome(
    number: int, *, name: str | None = "广州市天河区沅溪汽车维修店（个体工商户）", attempts: int = 1
) -> Outcome:
    """Make a company that has its link."""
    order = f"SBX{number:012}"
    link = f"http://127.0.0.1:40117/sandbox/identify/{order}?code=DbDKafYxOeo2"
    request = CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(company_name=name), client_request_id=f"id-{number}")
    return Outcome(
        request, ApiResponse(result=CorpIdentLink(order_no=order, auth_url=link), envelope=ENVELOPE, attempts=attempts)
    )


def failed(problem: KfqError) -> Outcome:
    """Make a company that has no link."""
    return Outcome(CorpIdentLinkRequest(client_request_id="id-failed"), problem)


def printed(outcomes: list[Outcome], width: int | None, *, everything: bool = False) -> list[str]:
    """Print the report on a terminal of this width, or on none."""
    file = io.StringIO()
    console = Console(
        file=file, width=width or 80, force_terminal=width is not None, color_system=None, highlight=False
    )
    ordered = [outcome.request.client_request_id for outcome in outcomes]
    print_report(outcomes, Counts.of(outcomes, ordered), console, everything=everything)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("ordered", "duplicates"),
    [
        (["id-1", "id-2"], 0),
        (["id-1", "id-2", "id-2"], 1),
        (["id-1", "id-2", "another"], 1),
        (["id-1", "id-2", None], 1),
        (["id-1"], 0),
    ],
)
def test_an_order_too_many_is_a_duplicate(ordered: list[str | None], duplicates: int) -> None:
    """An order is one too many if its id has another, or if nobody chose its id; names do not matter."""
    counts = Counts.of([outcome(1, name="甲"), outcome(2, name="甲")], ordered)
    assert counts.duplicates == duplicates
    assert counts.well is (duplicates == 0)


def test_what_was_never_sent_is_no_attempt() -> None:
    """A request that could not be written takes nothing from the repeated attempts."""
    counts = Counts.of([outcome(1, attempts=3), failed(EncodeError("no"))], ["id-1"])
    assert (counts.companies, counts.links, counts.repeated, counts.well) == (2, 1, 2, False)


@pytest.mark.parametrize("width", [80, 120, 200, None])
def test_nothing_is_cut(width: int | None) -> None:
    """Whatever the width, names and links come out in one piece, and no line is longer than the terminal."""
    lines = printed([outcome(number) for number in range(3)], width)
    for number in range(3):
        cells = outcome(number).row
        assert all(any(cell.plain in line for line in lines) for cell in cells)
    assert max(map(cell_len, lines)) <= (width or 160)
    assert lines[-1].startswith("3 companies, 3 links, 0 repeated attempts, 3 orders")


def test_a_file_takes_lines_of_any_length() -> None:
    """What goes to no terminal is a table of one line per company, however long its name."""
    lines = printed([outcome(1, name="甲" * 200), outcome(2)], None)
    (line,) = (line for line in lines if "SBX000000000001" in line)
    assert "甲" * 200 in line
    assert "code=DbDKafYxOeo2" in line


def test_a_terminal_shows_what_matters() -> None:
    """On a terminal come the first companies and those to which something happened, unless all are asked for."""
    outcomes = [*(outcome(number) for number in range(40)), outcome(40, attempts=2), failed(ConnectError("no line"))]
    short = "\n".join(printed(outcomes, 120))
    assert all(f"SBX{number:012}" in short for number in (0, 9, 40))
    assert "SBX000000000010" not in short
    assert "no line" in short
    assert "30 more got their link at the first attempt; --all shows them too." in short
    for whole in ("\n".join(printed(outcomes, 120, everything=True)), "\n".join(printed(outcomes, None))):
        assert all(f"SBX{number:012}" in whole for number in range(41))
        assert "--all" not in whole


def test_says_that_the_links_are_gone() -> None:
    """Before the closing line it says that these links open no longer, and how to get one that does."""
    *_, ended, how, _ = printed([outcome(1)], 80)
    assert "its links open no longer" in ended
    assert "kfq sandbox" in how
    assert "kfq link" in how


def test_the_closing_line_fits_80_columns() -> None:
    """Thousands of companies are counted on one line of the narrowest terminal."""
    counts = Counts(companies=9999, links=9999, repeated=999, orders=9999, duplicates=0)
    assert len(counts.line(80)) <= 80
    assert "9999 orders in the sandbox" in counts.line(120)


def test_names_are_shown_as_they_are() -> None:
    """Brackets are no markup, control characters are blanks, and a company without a name is shown as one."""
    shown = "\n".join(printed([outcome(1, name="[red]甲[/red]\x1b[2J\n乙"), outcome(2, name=None)], 200))
    assert "[red]甲[/red] [2J 乙" in shown
    assert "（无名称）" in shown
