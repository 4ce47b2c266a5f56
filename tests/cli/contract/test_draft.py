"""`kfq contract draft`: options and JSON become the request, which is checked before anything is sent."""

import asyncio
import errno
import json
from pathlib import Path
from typing import Any

import pytest

from kfq_async import AsyncSession
from kfq_async.cli.app import run
from kfq_async.documents import PdfError, PdfProblem
from kfq_async.errors import ConnectionLost, OutcomeUnknown
from kfq_async.resources.contracts import Contracts
from kfq_async.sandbox import Sandbox
from pdfs import pdf, show
from self_hosted import OPERATOR, PERSON, TOKEN

OPTIONS = ["--line", "sales", "--operator", f"陈一:{OPERATOR}"]
SEAL = ["--seal-id", "seal-a", "--seal", "Seal here@last"]
SIGNER = ["--signer", f"林二:{PERSON}", "--sign", "Sign here@last+60,-5"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A document of two pages, with places to seal and to sign on the second one."""
    path = tmp_path / "contract.pdf"
    path.write_bytes(pdf([show("The Seal", 72, 700), show("Seal here", 72, 400) + show("Sign here", 300, 400)]))
    return path


def request_of(*arguments: object, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run the command with --dry-run, and return the request."""
    assert run(["contract", "draft", *map(str, arguments), "--dry-run"]) == 0
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


def error_of(*arguments: object, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command with --dry-run, which is a usage error, and return the message."""
    assert run(["contract", "draft", *map(str, arguments), "--dry-run"]) == 2
    return capsys.readouterr().err


def position(control_type: str, page: str, x: str | None, y: str, **fields: str) -> dict[str, Any]:
    """Return a position with coordinates."""
    place = {"pageConfig": page, "offsetX": x, "offsetY": y}
    return {
        "controlType": control_type,
        "signPositionType": "POSITION",
        "relationDocList": [{"docType": "1", "docId": "local"}],
        **{name: value for name, value in (place | fields).items() if value is not None},
    }


def test_options(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seals belong to the sender, and each signature to the signer of the same number."""
    others = ["--signer", "Gao：gao@example.org", "--expires", "2099-12-31"]
    request = request_of(file, *OPTIONS, *SEAL, *SIGNER, *others, "--send", capsys=capsys)
    seal = position("SEAL", "2", "0.1210", "0.4369")  # 72 / 595; 0.618 · 120 above the baseline
    signature = position("SIGNATURE", "2", "0.6050", "0.4808")
    assert request == {
        "send": "1",
        "operator": {"name": "陈一", "contactType": "MOBILE", "contact": OPERATOR},
        "expireDate": "2099-12-31",
        "signReId": "sales",
        "subject": "contract",
        "signDocumentList": [{"docId": "local"}],
        "signerList": [
            {
                "signerType": "SENDER",
                "signerOrder": "1",
                "internalNodeList": [
                    {
                        "nodeType": "ENTERPRISE_SEAL",
                        "signerOrder": "1",
                        "autoSign": "AUTO_SIGN",
                        "sealId": "seal-a",
                        "positionParamList": [seal],
                    }
                ],
            },
            {
                "signerType": "RECEIVER_PERSONAL",
                "signerName": "林二",
                "signerOrder": "2",
                "receiver": {"name": "林二", "contactType": "MOBILE", "contact": PERSON},
                "positionParamList": [signature],
            },
            {
                "signerType": "RECEIVER_PERSONAL",
                "signerName": "Gao",
                "signerOrder": "3",
                "receiver": {"name": "Gao", "contactType": "EMAIL", "contact": "gao@example.org"},
            },
        ],
        "signOrderType": "ORDER",
        "autoFinish": 1,
    }


def test_more_options(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Places are coordinates, too; the seal can be left to the operator, and keywords to the platform."""
    places = ["--seal", "@1:59.5,84.2", "--seal", "Seal@every", "--chop", "421", "--search", "platform"]
    others = ["--subject", "框架合同", "--manual-seal", "--together", "--keep-open"]
    request = request_of(file, *OPTIONS, *places, *others, "--seal-id", "seal-a", capsys=capsys)
    (sender,) = request["signerList"]
    (step,) = sender["internalNodeList"]
    assert "autoSign" not in step
    assert step["signer"] == request["operator"]
    assert step["positionParamList"] == [
        position("SEAL", "1", "0.1000", "0.1000"),
        {
            "controlType": "SEAL",
            "signPositionType": "KEYWORD",
            "relationDocList": [{"docType": "1", "docId": "local"}],
            "keyword": "Seal",
            "keywordType": "0",
        },
        position("CHOP_STAMP", "ALL", None, "0.5000"),
    ]
    named = {name: request[name] for name in ("send", "subject", "signOrderType", "autoFinish")}
    assert named == {"send": "0", "subject": "框架合同", "signOrderType": "NO_ORDER", "autoFinish": 0}


def test_requests(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A request as JSON is used with the document of the command line."""
    request = request_of(file, *OPTIONS, *SEAL, *SIGNER, capsys=capsys)
    for signer in request["signerList"]:
        for holder in [signer, *signer.get("internalNodeList", ())]:
            for one in holder.get("positionParamList", ()):
                del one["relationDocList"]
    written = tmp_path / "request.json"
    written.write_text(json.dumps({**request, "signDocumentList": [{"docId": "other"}]}))
    assert request_of(file, "--request", written, capsys=capsys) == request_of(
        file, *OPTIONS, *SEAL, *SIGNER, capsys=capsys
    )
    assert request_of(file, "--request", written, "--send", capsys=capsys)["send"] == "1"
    message = error_of(file, "--request", written, "--line", "sales", "--keep-open", capsys=capsys)
    assert "--request holds the whole request; leave out --line, --keep-open" in message


PROGRAM = f"""
import kfq_async as kfq

def request(document):
    chen = kfq.ContractUser.mobile("陈一", "{OPERATOR}")
    seal = document.keyword("Seal here", hit="last")
    sender = kfq.ContractSigner.sender(seal=seal, seal_id="seal-a", auto=True)
    return kfq.ContractDraftRequest.of(document, subject="合同", sign_re_id="sales", operator=chen, signers=[sender])
"""


def test_programs(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Python file describes the contract by a function, which is called with the document."""
    program = tmp_path / "contract.py"
    program.write_text(PROGRAM, encoding="utf-8")
    request = request_of(file, "--request", program, "--send", capsys=capsys)
    assert (request["subject"], request["send"]) == ("合同", "1")
    (step,) = request["signerList"][0]["internalNodeList"]
    assert step["positionParamList"] == [position("SEAL", "2", "0.1210", "0.4369")]
    for content in ("", "request = 1", "def request(document): return 1"):
        program.write_text(content)
        message = "must define request(document), which returns a ContractDraftRequest"
        assert message in error_of(file, "--request", program, capsys=capsys)
    assert "absent.py is not a file" in error_of(file, "--request", tmp_path / "absent.py", capsys=capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "is not JSON in UTF-8"),
        ('{"sendIt": "1"}', "unknown key sendIt"),
        ('{"signReId": "sales", "subject": "A"}', "operator: is missing"),
    ],
)
def test_invalid_requests(
    content: str | None, message: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request that cannot be read, or that the platform would refuse, is a usage error."""
    path = tmp_path / "request.json"
    if content is not None:
        path.write_text(content)
    assert message in error_of(file, "--request", path, capsys=capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--line is missing; give it, or the whole request with --request"),
        (["--line", "sales"], "--operator is missing"),
        (["--line", "sales", "--operator", OPERATOR], "--operator must be NAME:CONTACT, such as 李四:13800138000"),
        ([*OPTIONS, "--signer", "林二:"], "--signer must be NAME:CONTACT"),
        ([*OPTIONS, "--seal", "Seal here"], "--seal must be KEYWORD@last"),
        ([*OPTIONS, "--seal", "Stamp here@last"], "--seal Stamp here@last: keyword: “Stamp here” was not found"),
        ([*OPTIONS, *SIGNER, "--sign", "Seal@last"], "each --sign needs a --signer: 2 were given, and 1"),
        ([*OPTIONS, "--seal", "@9:10,10", "--seal-id", "seal-a"], "seal: page 9 does not exist"),
        ([*OPTIONS, *SEAL[2:], "--send"], "signers[0].seal_id: is missing"),
        ([*OPTIONS, *SIGNER, "--expires", "2020-01-01"], "--expires: must be after today"),
        ([*OPTIONS, *SIGNER, "--expires", "2099-12-31T18:00"], "--expires must be a day, such as 2027-01-31"),
        (OPTIONS, "--signer: must name a party"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the platform would refuse is refused before anything is sent, and the option is named."""
    assert message in error_of(file, *arguments, capsys=capsys)


def test_missing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A document that is absent is named."""
    assert f"kfq: {tmp_path / 'absent.pdf'} is not a file" in error_of(tmp_path / "absent.pdf", *OPTIONS, capsys=capsys)


def test_documents_without_a_layout(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document whose text is not read takes coordinates, and a keyword gets the reason; a damaged one is refused."""
    place = ["--signer", f"林二:{PERSON}", "--sign", "@1:59.5,84.2"]
    word, damaged, large = tmp_path / "contract.docx", tmp_path / "damaged.pdf", tmp_path / "large.pdf"
    for document in (word, damaged, large):
        document.write_bytes(b"PK")
    assert f"kfq: {damaged}: the PDF is damaged" in error_of(damaged, *OPTIONS, *place, capsys=capsys)

    def refuse(*_: object) -> None:
        raise PdfError("the PDF is too large to be read", PdfProblem.TOO_LARGE)

    monkeypatch.setattr("kfq_async.cli.contract.draft.read_layout", refuse)
    for document, reason in ((word, "only the text of a PDF is read"), (large, "the PDF is too large to be read")):
        assert run(["contract", "draft", str(document), *OPTIONS, *place, "--dry-run"]) == 0
        captured = capsys.readouterr()
        shown = json.loads(captured.out)["signerList"][0]["positionParamList"]
        assert shown == [position("SIGNATURE", "1", "0.1000", "0.1000")]
        assert captured.err.startswith(f"warning: no keyword can be found in {large}") is (document is large)
        assert reason in error_of(document, *OPTIONS, *SEAL, capsys=capsys)

    def fail(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("kfq_async.cli.contract.draft.read_layout", fail)
    assert f"kfq: {file}: Permission denied" in error_of(file, *OPTIONS, *place, capsys=capsys)


def test_missing_extra(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the library that reads PDFs, a keyword says how to install it."""

    def fail(*_: object) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr("kfq_async.cli.contract.draft.read_layout", fail)
    assert "install kfq-async[pdf]" in error_of(file, *OPTIONS, *SEAL, capsys=capsys)


def test_contracts(platform: Sandbox, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document is uploaded, and the contract is created; one that is started shows its tasks."""
    assert run(["contract", "draft", str(file), *OPTIONS, *SEAL, *SIGNER, "--send"]) == 0
    first, status, task = capsys.readouterr().out.splitlines()
    assert (status, task.startswith("open task: SIGN PERSONAL 林二")) == ("status: SIGNING", True)
    assert run(["contract", "draft", str(file), *OPTIONS, *SIGNER, "--json"]) == 0
    kept = json.loads(capsys.readouterr().out)
    assert kept["status"] == "DRAFT"
    assert run(["contract", "draft", str(file), *OPTIONS, *SIGNER]) == 0
    assert "which is started on the platform's pages only" in capsys.readouterr().err
    assert asyncio.run(_statuses(platform, first.removeprefix("contractId: "), kept["contractId"])) == [
        "SIGNING",
        "DRAFT",
    ]


async def _statuses(platform: Sandbox, *contract_ids: str) -> list[str]:
    async with AsyncSession(TOKEN, base_url=platform.base_url) as session:
        return [(await session.contracts.tasks(contract_id)).status for contract_id in contract_ids]


def test_unknown_outcomes(
    platform: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A contract that may exist has an exit status of its own."""

    async def draft(*_: object) -> None:
        raise OutcomeUnknown(ConnectionLost("the connection was lost"))

    monkeypatch.setattr(Contracts, "draft", draft)
    assert run(["contract", "draft", str(file), *OPTIONS, *SIGNER]) == 8
    assert "OutcomeUnknown" in capsys.readouterr().err
