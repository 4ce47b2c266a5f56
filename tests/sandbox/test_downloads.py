"""Download of the documents of a contract."""

from __future__ import annotations

import asyncio
import base64
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession

from contract_platform import (
    COLLEAGUE,
    SECOND,
    ContractPlatform,
    call_sandbox,
    contract_fixtures,
    receiver,
    text_pdf,
    user,
)
from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Sandbox
from kfq_async.sandbox.checks import Download, PlatformResponse
from self_hosted import OPERATOR, PERSON, STRANGER, TOKEN
from signatures import validations

if TYPE_CHECKING:
    from pathlib import Path

API = API_PATH.lstrip("/")


@pytest.fixture
def platform() -> ContractPlatform:
    """A platform."""
    return ContractPlatform()


def downloaded(platform: ContractPlatform, contract_id: str, contact: str = OPERATOR) -> Download:
    """Return a download."""
    response = platform.download(contract_id, contact)
    assert isinstance(response, Download)
    return response


def refused(response: PlatformResponse | Download) -> int | None:
    """Return the code of a refused download."""
    assert isinstance(response, PlatformResponse)
    return response.code


def test_one_document(platform: ContractPlatform) -> None:
    """Before a signature, one document comes as it was uploaded, to the initiator and to the parties."""
    contract_id = platform.draft(platform.signer(), send="0")
    expected = Download("合同.pdf", text_pdf(3, "SIGNHERE"))
    assert downloaded(platform, contract_id) == downloaded(platform, contract_id, PERSON) == expected
    contract_id = platform.draft(platform.signer())
    platform.ask("/contract/recall", contractId=contract_id)
    assert downloaded(platform, contract_id) == expected


def test_several_documents(platform: ContractPlatform) -> None:
    """Several documents come as a ZIP file with readable names, the same each time."""
    other = platform.upload("附页 二", text_pdf(1, "B"))
    contract_id = platform.draft(receiver(), send="0", signDocumentList=[{"docId": platform.doc_id}, {"docId": other}])
    download = downloaded(platform, contract_id)
    assert download == downloaded(platform, contract_id)
    assert download.file_name == "框架合同.zip"
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "合同.pdf": text_pdf(3, "SIGNHERE"),
            "附页 二.pdf": text_pdf(1, "B"),
        }


def test_name_of_a_contract_without_a_subject(platform: ContractPlatform) -> None:
    """Without a subject the ZIP file is named after the contract."""
    other = platform.upload("附页", text_pdf(1, "B"))
    documents = [{"docId": platform.doc_id}, {"docId": other}]
    contract_id = platform.draft(receiver(), send="0", subject=None, signDocumentList=documents)
    assert downloaded(platform, contract_id).file_name == f"{contract_id}.zip"


def test_documents_of_one_name(platform: ContractPlatform) -> None:
    """Documents of the same name cannot be packed."""
    same = platform.upload("合同", text_pdf(1, "B"))
    documents = [{"docId": platform.doc_id}, {"docId": same}]
    contract_id = platform.draft(receiver(), send="0", signDocumentList=documents)
    assert refused(platform.download(contract_id)) == 31000


def test_no_documents(platform: ContractPlatform) -> None:
    """A contract without documents has nothing to download."""
    contract_id = platform.draft(receiver(), send="0", signDocumentList=None)
    assert refused(platform.download(contract_id)) == 31000


@pytest.mark.parametrize("contact", [STRANGER, COLLEAGUE, ""])
def test_contacts_that_may_not_download(contact: str, platform: ContractPlatform) -> None:
    """An unknown account, and one that has nothing to do with the contract, are refused."""
    assert refused(platform.download(platform.draft(receiver(), send="0"), contact)) == 31000


def test_an_unknown_party_may_not_download(platform: ContractPlatform) -> None:
    """A party whom the platform does not know has no account that could download."""
    contract_id = platform.draft(receiver(STRANGER), send="0")
    assert refused(platform.download(contract_id, user(STRANGER)["contact"])) == 31000


@pytest.mark.parametrize(("contract_id", "code"), [("", 21000), ("none", 31000)])
def test_unknown_contracts(contract_id: str, code: int, platform: ContractPlatform) -> None:
    """A missing id is told from an unknown one."""
    assert refused(platform.download(contract_id)) == code


def test_signed_document(platform: ContractPlatform) -> None:
    """After a signature the document comes as signed so far, the same each time, and also after a withdrawal."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND, "2"))
    fields = {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(PERSON)}
    platform.ask("/contract/sign/personal/proxy", **fields)
    first = downloaded(platform, contract_id)
    assert first == downloaded(platform, contract_id)
    assert [valid for _, _, valid, _ in validations(first.content)] == [True]
    platform.ask("/contract/recall", contractId=contract_id)
    assert downloaded(platform, contract_id) == first


async def test_signed_documents_outlive_the_sandbox(tmp_path: Path) -> None:
    """A state file keeps signed documents, and the next sandbox signs on."""
    settings: dict[str, Any] = {"state": tmp_path / "state.db", "fixtures": contract_fixtures()}
    content = base64.b64encode(text_pdf(1, "A")).decode()

    async def download(sandbox: Sandbox) -> bytes:
        asked = {"appAuthToken": TOKEN, "uniqueCode": "u", "contractId": contract_id, "contact": OPERATOR}
        url = f"{sandbox.base_url}/{API}/contract/document/download"
        async with ClientSession() as http, http.get(url, params=asked) as response:
            return await response.read()

    async def sign_for(sandbox: Sandbox, contact: str) -> None:
        fields = {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(contact)}
        await call_sandbox(sandbox, "contract/sign/personal/proxy", **fields)

    async with Sandbox(**settings) as sandbox:
        document = await call_sandbox(sandbox, "document/file", fileName="合同", fileSuffix=".pdf", file=content)
        position = {"controlType": "SIGNATURE", "signPositionType": "KEYWORD", "keyword": "A", "keywordType": "1"}
        positions = [position | {"relationDocList": [{"docType": "1", **document}]}]
        signers = [receiver(contact, positionParamList=positions) for contact in (PERSON, SECOND)]
        draft = {"send": "1", "operator": user(OPERATOR), "signReId": "sales", "signDocumentList": [document]}
        contract_id = (await call_sandbox(sandbox, "contract/draft", **draft, signerList=signers))["contractId"]
        await sign_for(sandbox, PERSON)
        first = await download(sandbox)
    async with Sandbox(**settings) as sandbox:
        assert await download(sandbox) == first
        await sign_for(sandbox, SECOND)
        second = await download(sandbox)
    assert second.startswith(first)
    signatures = await asyncio.to_thread(validations, second)
    assert [(name, valid, coverage) for _, name, valid, coverage in signatures] == [
        ("SANDBOX 沙箱 · 林二", True, "ENTIRE_REVISION"),
        ("SANDBOX 沙箱 · 方四", True, "ENTIRE_FILE"),
    ]


async def test_over_http(tmp_path: Path) -> None:
    """A contract outlives the sandbox in its state file, and a download has the platform's headers."""
    settings: dict[str, Any] = {"state": tmp_path / "state.db", "fixtures": contract_fixtures()}
    credentials = {"appAuthToken": TOKEN, "uniqueCode": "u-1"}
    content = text_pdf(1, "A")
    upload = {"fileName": "合同 一~", "fileSuffix": ".pdf", "file": base64.b64encode(content).decode()}
    draft = {"send": "0", "operator": user(OPERATOR), "signReId": "sales", "signerList": [receiver()]}

    async with Sandbox(**settings) as sandbox, ClientSession(f"{sandbox.base_url}/") as http:
        async with http.post(f"{API}/document/file", json=credentials | upload) as response:
            doc_id = (await response.json())["result"]["docId"]
        fields = credentials | draft | {"signDocumentList": [{"docId": doc_id}]}
        async with http.post(f"{API}/contract/draft", json=fields) as response:
            contract_id = (await response.json())["result"]["contractId"]

    async with Sandbox(**settings) as sandbox, ClientSession(f"{sandbox.base_url}/") as http:
        asked = credentials | {"contractId": contract_id, "contact": OPERATOR}
        async with http.get(f"{API}/contract/document/download", params=asked) as response:
            assert (response.status, await response.read()) == (200, content)
            assert response.headers["Content-Type"] == "application/octet-stream;charset=utf-8"
            assert response.headers["fileName"] == "%E5%90%88%E5%90%8C+%E4%B8%80%7E.pdf"
            assert response.headers["Content-Disposition"] == f"attachment;fileName={response.headers['fileName']}"
            assert "Content-Length" not in response.headers
        async with http.get(f"{API}/contract/document/download", params=asked | {"contact": STRANGER}) as response:
            assert (response.status, response.content_type) == (200, "application/json")
            assert (await response.json())["code"] == 31000
