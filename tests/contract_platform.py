"""A self-hosted platform with everything that contracts need, and requests about contracts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import aiohttp

from kfq_async.sandbox.quirks import QUIRKS
from pdfs import pdf, show
from self_hosted import OPERATOR, PERSON, STRANGER, TOKEN, Platform, fixtures_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfq_async.sandbox import Sandbox
    from kfq_async.sandbox.checks import Download, PlatformResponse

COLLEAGUE, SECOND, PARTNER, BY_MAIL = "13900000003", "13900000004", "13900000005", "gao@example.org"
COMPANY, OTHER_COMPANY, UNKNOWN_COMPANY = "东方示例有限公司", "西方示例有限公司", "北方示例有限公司"
NAMES = {
    OPERATOR: "陈一",
    PERSON: "林二",
    COLLEAGUE: "何三",
    SECOND: "方四",
    PARTNER: "杜五",
    BY_MAIL: "高六",
    STRANGER: "外人",
}


def contract_fixtures() -> dict[str, Any]:
    """Return the fixtures of `self_hosted` with more people and business lines."""
    document = fixtures_document()
    company, other, *_ = document["enterprises"]
    company["members"].append(_account(COLLEAGUE, granted="sales"))
    other["members"].append(_account(PARTNER))
    company["lines"] += [
        {"signReId": "free-order", "signReName": "不分顺序", "signOrderType": "NO_ORDER"},
        {
            "signReId": "leasing",
            "signReName": "租赁",
            "mode": "rule",
            "parties": [
                {
                    "signerType": "RECEIVER_ENT",
                    "signerOrder": "1",
                    "internalNodeList": [
                        {"nodeType": "AGENT_SIGN", "signerOrder": "1"},
                        {"nodeType": "ENTERPRISE_SEAL", "signerOrder": "2", "signer": PARTNER},
                    ],
                },
                {
                    "signerType": "SENDER",
                    "signerOrder": "2",
                    "internalNodeList": [{"nodeType": "ENTERPRISE_SEAL", "signerOrder": "1", "sealId": "seal-a"}],
                },
            ],
        },
    ]
    document["persons"] += [
        _account(SECOND, granted="sales", verified=True),
        {"name": NAMES[BY_MAIL], "contactType": "EMAIL", "contact": BY_MAIL},
    ]
    return document


def _account(contact: str, *, granted: str | None = None, verified: bool = False) -> dict[str, Any]:
    seal_id = f"seal-{contact}"
    return {
        "name": NAMES[contact],
        "contactType": "MOBILE",
        "contact": contact,
        "verified": verified,
        "seals": [{"sealId": seal_id}],
        "grants": [] if granted is None else [{"signReId": granted, "sealId": seal_id, "until": "2030-06-30"}],
    }


def user(contact: str) -> dict[str, str]:
    """Return a ContractUser."""
    return {"name": NAMES[contact], "contactType": "EMAIL" if "@" in contact else "MOBILE", "contact": contact}


def changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return fields with changes; ``None`` leaves a field out."""
    return {name: value for name, value in (fields | changes).items() if value is not None}


def receiver(contact: str = PERSON, order: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a personal receiver."""
    fields = {"signerType": "RECEIVER_PERSONAL", "signerOrder": order, "receiver": user(contact)}
    return changed(fields, changes)


def node(node_type: str, contact: str = OPERATOR, order: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a step inside an enterprise."""
    return changed({"nodeType": node_type, "signerOrder": order, "signer": user(contact)}, changes)


def sender(*nodes: dict[str, Any], order: str = "1", **changes: Any) -> dict[str, Any]:
    """Return the sender with its steps."""
    return changed({"signerType": "SENDER", "signerOrder": order, "internalNodeList": list(nodes)}, changes)


def company(*nodes: dict[str, Any], name: str = OTHER_COMPANY, order: str = "1", **changes: Any) -> dict[str, Any]:
    """Return a receiving enterprise with its steps."""
    fields = {"signerType": "RECEIVER_ENT", "signerName": name, "signerOrder": order, "internalNodeList": list(nodes)}
    return changed(fields, changes)


class ContractPlatform(Platform):
    """Platform with one uploaded document of three pages; every call comes from another address."""

    def __init__(
        self, fixtures: dict[str, Any] | None = None, *, strict: bool = False, quirks: Iterable[str] = tuple(QUIRKS)
    ) -> None:
        super().__init__(fixtures=contract_fixtures() if fixtures is None else fixtures, strict=strict, quirks=quirks)
        self._calls = 0
        self.doc_id = self.upload("合同", text_pdf(3, "SIGNHERE"))

    def ask(self, path: str, **fields: Any) -> PlatformResponse:
        """Call an operation with the ``fields``; ``None`` leaves a field out."""
        self._calls += 1
        return self.call(path, fields, address=f"192.0.2.{self._calls}")

    def code(self, path: str, **fields: Any) -> tuple[int | None, bool]:
        """Call an operation, and return the code of the response and whether it is internal."""
        response = self.ask(path, **fields)
        return response.code, response.internal

    def upload(self, name: str, content: bytes) -> str:
        """Upload a document, and return its id."""
        fields = {"fileName": name, "file": base64.b64encode(content).decode(), "fileSuffix": ".pdf"}
        result = self.ask("/document/file", **fields).result
        assert isinstance(result, dict)
        return str(result["docId"])

    def position(self, **changes: Any) -> dict[str, Any]:
        """Return a sign position on the first page of the document."""
        fields = {
            "controlType": "SIGNATURE",
            "signPositionType": "POSITION",
            "pageConfig": "1",
            "offsetX": "0.5",
            "offsetY": "0.5",
            "relationDocList": [{"docType": "1", "docId": self.doc_id}],
        }
        return changed(fields, changes)

    def signer(self, contact: str = PERSON, order: str = "1") -> dict[str, Any]:
        """Return a personal receiver with a position."""
        return receiver(contact, order, positionParamList=[self.position()])

    def seal(self, order: str = "1", **changes: Any) -> dict[str, Any]:
        """Return a seal of the sender with a position, automatic unless changed."""
        fields = {
            "autoSign": "AUTO_SIGN",
            "sealId": "seal-a",
            "positionParamList": [self.position(controlType="SEAL")],
        }
        return node("ENTERPRISE_SEAL", order=order, **(fields | changes))

    def draft_fields(self, *signers: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return the fields of a draft."""
        fields = {
            "send": "1",
            "operator": user(OPERATOR),
            "signReId": "sales",
            "subject": "框架合同",
            "signDocumentList": [{"docId": self.doc_id}],
            "signerList": list(signers),
        }
        return changed(fields, changes)

    def draft(self, *signers: dict[str, Any], **changes: Any) -> str:
        """Draft a contract, start it unless changed, and return its id."""
        response = self.ask("/contract/draft", **self.draft_fields(*signers, **changes))
        assert response.code == 10000, response.message
        assert isinstance(response.result, dict)
        return str(response.result["contractId"])

    def tasks(self, contract_id: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the status and the open tasks."""
        result = self.ask("/contract/tasks", contractId=contract_id).result
        assert isinstance(result, dict)
        return result["status"], result["todoTaskList"]

    def events_of(self, contract_id: str) -> list[str]:
        """Return ``callbackType/contractStatus`` of the events of a contract."""
        return [
            f"{body['callbackType']}/{body['contractStatus']}" for id_, _, body in self.events if id_ == contract_id
        ]

    def download(self, contract_id: str, contact: str = OPERATOR) -> PlatformResponse | Download:
        """Download the documents of a contract."""
        self._calls += 1
        fields = {"contractId": contract_id, "contact": contact}
        return self.respond("/contract/document/download", fields, address=f"192.0.2.{self._calls}")


def text_pdf(pages: int, text: str, left: float = 90) -> bytes:
    """Return a PDF with a line of text on each page, which begins at ``left`` points."""
    return pdf([show(text, left, 600)] * pages)


async def call_sandbox(sandbox: Sandbox, operation: str, **fields: object) -> Any:
    """Call an operation of a running sandbox, and return its result."""
    body = {"appAuthToken": TOKEN, "uniqueCode": "u", **fields}
    url = f"{sandbox.base_url}/kaifangqian/openAPI/V2/{operation}"
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        document = await response.json()
    assert document["code"] == 10000, document
    return document["result"]


async def start_contract(sandbox: Sandbox) -> str:
    """Start a contract that waits for an approval in a running sandbox, and return its id."""
    content = base64.b64encode(text_pdf(1, "SIGNHERE")).decode()
    document = await call_sandbox(sandbox, "document/file", fileName="合同", fileSuffix=".pdf", file=content)
    result = await call_sandbox(
        sandbox,
        "contract/draft",
        send="1",
        operator=user(OPERATOR),
        signReId="sales",
        subject="框架合同",
        signDocumentList=[document],
        signerList=[sender(node("APPROVER_CHECK"))],
    )
    return str(result["contractId"])
