"""`kfq contract preview`: marks drawn on pages, as HTML and PNG."""

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kfq_async.cli.app import run
from pdfs import A4, pdf, show

MARKS = ["--seal-id", "seal-a", "--seal", "Seal here@last", "--signer", "林二:13900000002", "--sign", "Sign here@last"]
RED, WHITE = (212, 0, 26), (255, 255, 255)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A document of three pages, with places to seal and to sign on the second one."""
    path = tmp_path / "contract.pdf"
    pages = ["", show("Seal here", 72, 400) + show("Sign here", 300, 400), ""]
    path.write_bytes(pdf(pages, boxes=[A4, A4, "/MediaBox[0 0 400 400]"]))
    return path


def test_html(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One HTML page, which only its owner can read, has a table of the marks, and the pages that have some."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert run(["contract", "preview", str(file), *MARKS, "--browser"]) == 0
    target = file.with_name("contract.preview.html")
    assert capsys.readouterr().out.splitlines() == [
        "1. seal on page 2: signerList[0].internalNodeList[0].positionParamList[0]",
        "2. signature on page 2: signerList[1].positionParamList[0]",
        f"drawn in {target}",
    ]
    assert opened == [target.as_uri()]
    assert target.stat().st_mode & 0o777 == 0o600
    page = target.read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Page 2"]
    assert "<tr><td>1</td><td>seal</td><td>2</td>" in page
    (picture,) = re.findall(r'src="data:image/png;base64,(.*?)"', page)
    drawn = Image.open(io.BytesIO(base64.b64decode(picture)))
    scale = drawn.width / 595
    # The seal stands at 72 points, 0.618 · 120 points above the baseline, 442 points below the top.
    left, top, middle = round(72 * scale) + 1, round((442 - 0.618 * 120) * scale) + 1, round(100 * scale)
    assert (drawn.getpixel((left, top + 50)), drawn.getpixel((middle, top))) == (RED, RED)
    assert drawn.getpixel((left - 5, top + 50)) == WHITE


def test_pictures(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder gets one PNG a page; a request as JSON describes the marks as well."""
    written = tmp_path / "request.json"
    assert (
        run(["contract", "draft", str(file), "--line", "a", "--operator", "陈一:13900000001", *MARKS, "--dry-run"]) == 0
    )
    written.write_text(capsys.readouterr().out)
    arguments = ["contract", "preview", str(file), "--request", str(written), "--to", str(tmp_path / "pages")]
    assert run(arguments) == 0
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["contract.page-2.png"]
    assert run([*arguments, "--all-pages", "--browser"]) == 0  # a folder is not opened
    names = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert names == [f"contract.page-{number}.png" for number in (1, 2, 3)]


def marks(*arguments: object, capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, Any]:
    """Run the command with --json, and return its output."""
    assert run(["contract", "preview", *map(str, arguments), "--json"]) == status
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


def test_json(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the rectangle of each mark, fitted to the picture, and whether it leaves the page."""
    target = tmp_path / "out.html"
    options = ["--signer", "林二:13900000002", "--sign", "@2:100,200", "--chop", "421", "--seal-id", "seal-a"]
    shown = marks(file, *options, "--to", target, "--picture", "120x60", capsys=capsys)
    chop, path = "signerList[0].internalNodeList[0].positionParamList[0]", "signerList[1].positionParamList[0]"

    def mark(number: int, page: int, rect: list[float], *, outside: bool) -> dict[str, Any]:
        kind = "SIGNATURE" if number == 4 else "CHOP_STAMP"
        where = path if number == 4 else chop
        values = {"number": number, "controlType": kind, "page": page, "rect": rect, "outside": outside}
        return {**values, "position": where}

    assert shown == {
        "path": str(target),
        "marks": [
            mark(1, 1, [555.0, 301.0, 595.0, 421.0], outside=False),
            mark(2, 2, [555.0, 301.0, 595.0, 421.0], outside=False),
            mark(3, 3, [360.0, -141.0, 400.0, -21.0], outside=True),
            mark(4, 2, [100.02, 590.02, 204.02, 642.02], outside=False),
        ],
    }


def test_marks_outside(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mark that leaves its page is a warning."""
    assert run(["contract", "preview", str(file), "--chop", "421", "--seal-id", "seal-a"]) == 0
    assert capsys.readouterr().out.count("warning: a part of the mark lies outside the page") == 1


def test_refusals(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A position that the platform refuses is shown with its code, and nothing is drawn."""
    options = [*MARKS[:2], "--seal", "absent@last", "--search", "platform"]
    refused = marks(file, *options, capsys=capsys, status=1)
    path = "signerList[0].internalNodeList[0].positionParamList[0].keyword"
    assert refused == {"refused": f"{path} was not found in the document", "code": "31000"}
    assert not file.with_name("contract.preview.html").exists()


def test_files_that_are_no_pdf(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no PDF, and a place that cannot be written, are usage errors."""
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(b"no PDF")
    assert run(["contract", "preview", str(damaged), "--signer", "林二:13900000002"]) == 2
    assert f"kfq: {damaged}: the PDF is damaged" in capsys.readouterr().err
    target = tmp_path / "absent" / "out.html"
    assert run(["contract", "preview", str(file), *MARKS, "--to", str(target)]) == 2
    assert f"kfq: {target}: No such file" in capsys.readouterr().err


def test_missing_extra(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the libraries that draw, the command says how to install them."""
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    assert run(["contract", "preview", str(file), *MARKS]) == 2
    assert "pip install 'kfq-async[preview]'" in capsys.readouterr().err
