"""A self-hosted platform without HTTP: fixtures, and calls through the sandbox's gateway."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import orjson

from kfq_async.sandbox.accounts import AccountService
from kfq_async.sandbox.checks import Download, PlatformResponse
from kfq_async.sandbox.contract_files import ContractFiles
from kfq_async.sandbox.contract_repository import ContractRepository
from kfq_async.sandbox.contracts import ContractService
from kfq_async.sandbox.directory import Directory
from kfq_async.sandbox.downloads import DownloadService
from kfq_async.sandbox.files import FileService
from kfq_async.sandbox.fixtures import load_fixtures
from kfq_async.sandbox.gateway import ApiRequest, Gateway
from kfq_async.sandbox.links import LinkService
from kfq_async.sandbox.quirks import QUIRKS
from kfq_async.sandbox.signing import PdfSigner
from kfq_async.sandbox.stamps import Stamper
from kfq_async.sandbox.store import Store, process_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfq_async.sandbox.gateway import ApiOperation

TOKEN, STOPPED_TOKEN, OTHER_TOKEN = "DEMO0001", "DEMO0002", "DEMO0003"
OPERATOR, PERSON, STRANGER = "13900000001", "13900000002", "13900000009"
NOW_MS = 1_775_010_802_000


def fixtures_document() -> dict[str, Any]:
    """Return fixtures as JSON data, which a test may change."""
    return {
        "enterprises": [
            {
                "name": "东方示例有限公司",
                "developers": [
                    {"appAuthToken": TOKEN, "callbackUrl": "http://127.0.0.1:9/events"},
                    {"appAuthToken": STOPPED_TOKEN, "enabled": False},
                ],
                "members": [
                    {
                        "name": "陈一",
                        "contactType": "MOBILE",
                        "contact": OPERATOR,
                        "operatorAccounts": {TOKEN: "erp-chen"},
                    }
                ],
                "seals": [{"sealId": "seal-a", "name": "合同章", "pixelWidth": 200}],
                "lines": [
                    {"signReId": "sales", "signReName": "销售"},
                    {"signReId": "old", "signReName": "旧业务", "enabled": False},
                    {
                        "signReId": "hiring",
                        "signReName": "招聘",
                        "mode": "rule",
                        "parties": [
                            {
                                "signerType": "SENDER",
                                "signerOrder": "1",
                                "internalNodeList": [
                                    {"nodeType": "APPROVER_CHECK", "signerOrder": "1", "signer": OPERATOR}
                                ],
                            },
                            {"signerType": "RECEIVER_PERSONAL", "signerOrder": "2"},
                        ],
                    },
                ],
            },
            {
                "name": "西方示例有限公司",
                "developers": [{"appAuthToken": OTHER_TOKEN}],
                "members": [{"name": "陈一", "contactType": "MOBILE", "contact": OPERATOR}],
                "lines": [{"signReId": "west", "signReName": "西部"}],
            },
        ],
        "persons": [
            {
                "name": "林二",
                "contactType": "MOBILE",
                "contact": PERSON,
                "verified": False,
                "seals": [{"sealId": "seal-p", "default": True}],
                "grants": [{"signReId": "sales", "sealId": "seal-p", "until": "2030-06-30"}],
            }
        ],
    }


class Platform:
    """Calls the operations of the sandbox through its gateway; the clock stands still until it is set.

    Attributes:
        now_ms: Time of the next call.
        store: Records.
        events: ``contractId``, callback URL and body of each event of a contract.
        files: Uploaded files.
        contract_files: Documents of contracts, as signed so far.
        stamper: Signs the documents.
        repository: Contracts.
        directory: Look-ups of the gateway.
        gateway: Performs the calls.
        operations: All operations, by path.
    """

    def __init__(
        self,
        *,
        fixtures: Mapping[str, Any] | None = None,
        strict: bool = False,
        rate_limit_form: str = "internal",
        quirks: Iterable[str] = tuple(QUIRKS),
        extra: Iterable[ApiOperation] = (),
    ) -> None:
        self.store = store = Store(None)
        weakref.finalize(self, store.close)
        self.now_ms = NOW_MS
        self.events: list[tuple[str, str, dict[str, object]]] = []
        imitated = frozenset(quirks)
        self.files = FileService(store, quirks=imitated)
        self.directory = Directory(load_fixtures(fixtures_document() if fixtures is None else fixtures), store)
        self.gateway = Gateway(self.directory, strict=strict, rate_limit_form=rate_limit_form, quirks=imitated)
        self.contract_files = ContractFiles(store, self.files.document)
        self.stamper = Stamper(
            self.directory, self.contract_files, PdfSigner(process_key()), self._now, quirks=imitated
        )
        self.repository = repository = ContractRepository(
            store, self.directory, self.stamper, self._publish, quirks=imitated
        )
        services = (
            AccountService(self.directory),
            self.files,
            ContractService(repository, self.directory, self.files),
            LinkService(store, repository),
            DownloadService(repository, self.directory, self.contract_files),
        )
        operations = [operation for service in services for operation in service.operations()]
        self.operations = {operation.path: operation for operation in [*operations, *extra]}

    def call(
        self,
        path: str,
        fields: Mapping[str, object] | None = None,
        *,
        body: bytes | None = None,
        address: str = "192.0.2.1",
        compressed: bool = False,
    ) -> PlatformResponse:
        """Call an operation that answers with an envelope; see `respond`."""
        response = self.respond(path, fields, body=body, address=address, compressed=compressed)
        assert isinstance(response, PlatformResponse)
        return response

    def respond(
        self,
        path: str,
        fields: Mapping[str, object] | None = None,
        *,
        body: bytes | None = None,
        address: str = "192.0.2.1",
        compressed: bool = False,
    ) -> PlatformResponse | Download:
        """Call an operation with valid credentials but for the ``fields``; ``None`` leaves a field out."""
        sent = {"appAuthToken": TOKEN, "uniqueCode": "u-1", **(fields or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        operation = self.operations[path]
        is_get = operation.method == "GET"
        request = ApiRequest(
            body=b"" if is_get else orjson.dumps(sent) if body is None else body,
            query={name: str(value) for name, value in sent.items()} if is_get else {},
            compressed=compressed,
            address=address,
            now_ms=self.now_ms,
            origin="http://127.0.0.1:8899",
        )
        return self.gateway.respond(operation, request)

    def _now(self) -> float:
        return self.now_ms / 1000

    def _publish(self, contract_id: str, url: str, body: Mapping[str, object]) -> None:
        self.events.append((contract_id, url, dict(body)))
