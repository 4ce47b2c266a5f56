"""`kfq contract find`: text and JSON, marks, warnings and exit statuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kfq_async.cli.app import run
from pdfs import pdf, show

CLAUSE = show("Sign here before the end of the year: mySeal or other things that are agreed", 72, 600)
PAGES = [CLAUSE, show("Seal", 100, 400) + show("Party", 300, 400), show("Seal", 72, 800)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A document of three pages."""
    return write(tmp_path, *PAGES)


def write(folder: Path, *pages: str) -> Path:
    """Write a PDF."""
    path = folder / "contract.pdf"
    path.write_bytes(pdf(pages))
    return path


def found(*arguments: object, capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, Any]:
    """Run the command with --json, and return its output."""
    assert run(["contract", "find", *map(str, arguments), "--json"]) == status
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


def test_text(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each hit has page, line, the start that it counts from, and its mark; what is suspicious is a warning."""
    assert run(["contract", "find", str(file), "Seal"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}, 3 pages: Seal is found 3 times by the platform",
        "1. page 1, line 1: Sign here before the end of the year mySeal or other things that are agreed",
        "   warning: likely a clause, and not a place to sign",
        "   counts from the start of mySeal, 13.3 pt before the keyword",
        "   seal at x 237.7 to 357.7, y 554.2 to 674.2 pt, y upwards",
        "2. page 2, line 1: Seal Party",
        "   seal at x 100.0 to 220.0, y 354.2 to 474.2 pt, y upwards",
        "3. page 3, line 1: Seal",
        "   seal at x 72.0 to 192.0, y 722.0 to 842.0 pt, y upwards",
        "   warning: the mark jumps to the top of the page",
        "kfq contract draft finds the keyword here, and sends its own place as coordinates",
    ]


def test_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the same, for programs."""
    values = found(file, "Seal,Party", capsys=capsys)
    hits = values.pop("hits")
    text = "only 'Seal', before the comma, is searched"
    assert values == {
        "file": str(file),
        "pages": 3,
        "keyword": "Seal,Party",
        "searched": "Seal",
        "found": 3,
        "problems": [{"kind": "comma", "pages": [], "line": None, "text": text}],
        "parts": {},
    }
    assert hits[1] == {
        "page": 2,
        "line": 1,
        "lineText": "Seal Party",
        "run": "Seal",
        "x": 100.0,
        "y": 442.0,
        "shift": 0.0,
        "inClause": False,
        "jumpsToTop": False,
        "rect": [100.0, 354.16, 220.0, 474.16],
    }
    assert [(hit["page"], hit["inClause"], hit["jumpsToTop"]) for hit in hits] == [
        (1, True, False),
        (2, False, False),
        (3, False, True),
    ]


@pytest.mark.parametrize(
    ("options", "rect"),
    [
        (["--kind", "sign"], [300.0, 380.14, 352.0, 432.14]),
        (["--kind", "sign", "--picture", "300x200"], [300.0, 380.14, 378.0, 432.14]),
        (["--kind", "date"], [300.0, 388.54, 420.0, 418.54]),
        (["--kind", "chop"], [475.0, 354.16, 595.0, 474.16]),
        (["--right", "-20", "--down", "10", "--width", "50", "--height", "40"], [280.0, 374.72, 320.0, 414.72]),
    ],
)
def test_marks(options: list[str], rect: list[float], file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mark is that of the kind, the offsets, the size and the picture."""
    (hit,) = found(file, "Party", *options, capsys=capsys)["hits"]
    assert hit["rect"] == rect


def test_keywords_that_are_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A keyword that is not found says where it stands nevertheless, and which parts of it are found."""
    file = write(tmp_path, show("Seal: Party Seal", 72, 600), "BI /W 1 /H 1 /BPC 8 /CS /G ID 0 EI")
    assert run(["contract", "find", str(file), "Seal: Party"]) == 4
    assert capsys.readouterr().out.splitlines() == [
        f"{file}, 2 pages: Seal: Party is not found by the platform",
        "warning: the keyword has ': ': the platform ends a piece of text there, so that the keyword is never found",
        "warning: page 1, line 1: stands there in 2 pieces: Seal | Party",
        "warning: page 2: pages with pictures and without text, such as scans: no keyword is found there",
        "found instead: Seal (2 times), Party (once)",
    ]
    values = found(file, "Seal: Party", capsys=capsys, status=4)
    assert (values["found"], values["hits"], values["parts"]) == (0, [], {"Seal": 2, "Party": 1})


def test_tagged_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a tagged document, where the platform finds nothing, the places of the keyword are listed without marks."""
    file = write(tmp_path, show("Seal", 72, 600) + "/Span <</ActualText (x)>> BDC " + show("other", 72, 400) + "EMC")
    assert run(["contract", "find", str(file), "Seal"]) == 4
    assert capsys.readouterr().out.splitlines() == [
        f"{file}, 1 page: Seal is not found by the platform",
        "- page 1, line 1: Seal",
        "warning: the PDF is tagged (an ActualText over several glyphs): the platform finds no keyword in it",
        "kfq contract draft finds the keyword here, and sends its own place as coordinates",
    ]


def test_many_hits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text lists the first twenty hits, warnings and pages; JSON lists all."""
    picture = "BI /W 1 /H 1 /BPC 8 /CS /G ID 0 EI"
    file = write(tmp_path, *[show("Seal", 72, 600) + show("SEAL", 72, 500)] * 25, *[picture] * 25)
    assert run(["contract", "find", str(file), "Seal"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "20. page 20, line 1: Seal" in lines
    assert "21. page 21, line 1: Seal" not in lines
    assert "… and 5 more places; --json lists all of them" in lines
    assert "… and 6 more warnings; --json lists all of them" in lines
    values = found(file, "Seal", capsys=capsys)
    assert (len(values["hits"]), len(values["problems"])) == (25, 26)
    only_pictures = write(tmp_path, *[picture] * 25)
    assert run(["contract", "find", str(only_pictures), "Seal"]) == 4
    assert "warning: pages 1, 2, 3, " in (shown := capsys.readouterr().out)
    assert " 19, 20 …: pages with pictures" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.pdf", "Seal"], "absent.pdf: No such file"),
        (["{file}", ""], "keyword is missing"),
        (["{file}", "Seal", "--width", "9"], "--width must be from 10 to 120 points, not 9"),
        (["{file}", "Seal", "--height", "120.5"], "--height must be from 10 to 120 points, not 120.5"),
        (["{file}", "Seal", "--picture", "0x10"], "--picture must be WIDTHxHEIGHT in pixels, such as 240x120"),
        (["{file}", "Seal", "--kind", "stamp"], "--kind"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error exits with 2 and says what to give."""
    assert run(["contract", "find", *(one.replace("{file}", str(file)) for one in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_files_that_are_no_pdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read as a PDF is named."""
    file = tmp_path / "contract.pdf"
    file.write_bytes(b"no PDF")
    assert run(["contract", "find", str(file), "Seal"]) == 2
    assert f"kfq: {file}: the PDF is damaged" in capsys.readouterr().err


def test_missing_extra(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the library that reads PDFs, the command says how to install it."""
    from kfq_async.documents import pdf as reader

    reader.load_pdfminer.cache_clear()
    monkeypatch.setitem(sys.modules, "pdfminer.pdfdocument", None)
    try:
        assert run(["contract", "find", str(file), "Seal"]) == 2
    finally:
        reader.load_pdfminer.cache_clear()
    assert "pip install 'kfq-async[pdf]'" in capsys.readouterr().err
