"""Download of the documents of a contract."""

from __future__ import annotations

import io
import zipfile

import pytest

from contract_platform import COLLEAGUE, ContractPlatform, receiver, text_pdf, user
from kfq_async.sandbox.checks import Download, PlatformResponse
from self_hosted import OPERATOR, PERSON, STRANGER


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
    """One document comes as it was uploaded, whatever the state, to the initiator and to the parties."""
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
