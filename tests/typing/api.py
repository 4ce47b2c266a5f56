"""Code that mypy and pyright must accept or refuse; it is checked and never run.

Each refused line has a ``type: ignore`` with mypy's error code; one that a checker does not need is an error itself.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_type

import kfq_async as kfq

if TYPE_CHECKING:
    import datetime as dt
    import ssl
    from collections.abc import AsyncIterator, Awaitable

    import aiohttp


async def corp_ident_link(session: kfq.AsyncSession) -> None:
    """The main operation takes and returns models."""
    request = kfq.CorpIdentLinkRequest(
        account_name="13800138000",
        client_user_id=None,
        corp_ident_info=kfq.CorpIdentInfo(company_name="a", credit_code="b", company_type=1, license=""),
        corp_ident_config=kfq.CorpIdentConfig(corp_verify_methods=["legalRep"], unmodifiable_params=("companyName",)),
        opr_ident_info=kfq.OprIdentInfo(name="a", id_card="b", id_card_type=1, mobile="c", bank_card=""),
        opr_ident_config=kfq.OprIdentConfig(person_verify_methods=["face"]),
        callback_page="https://your-domain.com/corp/callback",
        auth_callback_url="https://your-domain.com/api/corp/auth/callback",
        client_request_id=None,
    )
    link = await session.auth.corp_ident_link(request)
    assert_type(link, kfq.CorpIdentLink)
    assert_type(link.order_no, str)
    assert_type(link.auth_url, str)
    assert_type(link.extra["cost"], object)
    methods: tuple[str, ...] | None = kfq.CorpIdentConfig().corp_verify_methods
    assert methods is None
    assert_type(request.client_request_id, str | None)


def open_values(value: str, number: int) -> None:
    """Types list the values that are documented, and take any other."""
    assert_type(kfq.ContractUser(contact_type="MOBILE").contact_type, Literal["MOBILE", "EMAIL"] | str | None)
    kfq.ContractUser(contact_type="FAX")
    kfq.ContractUser(contact_type=value)
    kfq.ContractUser(contact_type=1)  # type: ignore[arg-type]
    kfq.CorpIdentInfo(company_type=number)
    kfq.CorpIdentConfig(corp_verify_methods=["invite", value])


async def contracts(session: kfq.AsyncSession, moment: dt.datetime) -> None:
    """Operations on contracts take plain arguments, and return models."""
    person = kfq.ContractUser(name="a", contact_type="MOBILE", contact="b")
    signer = kfq.ContractSigner(signer_type="RECEIVER_PERSONAL", receiver=person)
    assert_type(await session.contracts.draft(kfq.ContractDraftRequest(send="0")), kfq.ContractDraft)
    assert_type(await session.contracts.tasks("c"), kfq.ContractTasks)
    assert_type(await session.contracts.wait("c", total=3600, events=kfq.ContractEvents()), kfq.ContractTasks)
    assert_type(await session.contracts.wait("c", until=kfq.ContractStatus.SIGNING), kfq.ContractTasks)
    final = {kfq.ContractStatus.COMPLETED, kfq.ContractStatus.RECALLED}
    assert_type(await session.contracts.wait("c", until=final, auto_finish=True), kfq.ContractTasks)
    await session.contracts.wait("c", until="COMPLETED")  # type: ignore[arg-type]
    async for tasks in session.contracts.watch("c", events=None):
        assert_type(tasks, kfq.ContractTasks)
    assert_type(await session.contracts.add_signers("c", [signer]), kfq.ContractTasks)
    assert_type(await session.contracts.add_signers("c", (signer,)), kfq.ContractTasks)
    assert_type(await session.contracts.approve("c", signer=person), kfq.ContractTasks)
    assert_type(await session.contracts.refuse("c", signer=person, comment="d"), kfq.ContractTasks)
    assert_type(await session.contracts.finish("c"), kfq.ContractTasks)
    assert_type(await session.contracts.recall("c"), kfq.ContractTasks)
    assert_type((await session.contracts.draft(kfq.ContractDraftRequest())).tasks, kfq.ContractTasks | None)
    recall: Awaitable[None] = session.contracts.recall("c", confirm=False)
    await recall
    assert_type(await session.contracts.find_lost("c", contact="m", reference="r"), bool | None)
    assert_type(
        await session.contracts.find_lost("c", contact="m", reference="r", receivers=["n", person]), bool | None
    )
    assert_type(await session.contracts.download("c", contact="m", to="folder/"), Path)
    assert_type(await session.contracts.download("c", contact="m", to=Path("a.pdf"), progress=print), Path)
    async with session.contracts.download_stream("c", contact="m", allow_unfinished=True) as chunks:
        assert_type(chunks, kfq.DownloadStream)
        assert_type(chunks.size, int | None)
        async for chunk in chunks:
            assert_type(chunk, bytes)
    assert_type(
        await session.contracts.sign_for_person(
            "c", signer=person, subject_type="EMPLOYEE", positions=[kfq.PositionParam(control_type="SIGNATURE")]
        ),
        kfq.ContractTasks,
    )
    page = await session.contracts.task_url("c", "t", callback_page=None)
    assert_type(page, kfq.PageLink)
    assert_type(page.page_url, str)
    assert_type(
        await session.contracts.page_url(
            "c", "13800138000", task_id=None, party_name="a", no_login=True, expires_at=moment
        ),
        kfq.PageLink,
    )
    pdf = await session.files.upload_document("a.pdf")
    place = pdf.keyword("章", hit="last", right=60)
    places = [pdf.at(page=1, left=10.5, top=20), pdf.at_fraction(x=0.5, y=0.5, pages="all")]
    built = kfq.ContractDraftRequest.of(
        pdf,
        subject="a",
        sign_re_id="b",
        operator=kfq.ContractUser.mobile("a", "b"),
        signers=[
            kfq.ContractSigner.sender(seal=place, seal_id="s", auto=True, chop=places),
            kfq.ContractSigner.person(person, sign=places),
        ],
        expire_date=moment.date(),
        send=True,
    )
    assert_type(built, kfq.ContractDraftRequest)
    kfq.ContractSigner.person(person, seal=place)  # type: ignore[call-arg]
    kfq.ContractSigner.person(person, sign="乙方签字")  # type: ignore[arg-type]
    pdf.keyword("章", hit="only")  # type: ignore[arg-type]
    pdf.keyword("章", hit="last", right=0.5)  # type: ignore[arg-type]
    await session.contracts.approve("c", person)  # type: ignore[call-overload]
    await session.contracts.page_url("c", "a", expires_at="2026-11-27")  # type: ignore[arg-type]
    await session.contracts.add_signers("c", signer)  # type: ignore[call-overload]


def routers() -> None:
    """A router takes handlers of its own notifications."""
    events, identities = kfq.ContractEventRouter(), kfq.IdentityRouter()

    @events.on(kfq.CallbackType.COMPLETE, "OTHER")
    async def complete(delivery: kfq.NotificationDelivery[kfq.ContractEvent]) -> None: ...

    @identities.fallback
    @identities.on(kfq.IdentityStatus.IDENTIFIED)
    async def identified(delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None: ...

    identities.on(kfq.IdentityStatus.EXPIRED)(complete)  # type: ignore[type-var]
    events.fallback(identified)  # type: ignore[arg-type]
    events.on(kfq.IdentityStatus.EXPIRED)  # type: ignore[arg-type]
    kfq.NotificationReceiver(identities, urls=kfq.CallbackUrls([b""], page="", notify=""))
    assert_type(kfq.from_dict(kfq.CorpIdentLink, {}), kfq.CorpIdentLink)
    kfq.from_dict(dict, {})  # type: ignore[type-var]


async def accounts(session: kfq.AsyncSession) -> None:
    """Operations on accounts."""
    lines = await session.accounts.business_lines("13800138000")
    assert_type(lines, tuple[kfq.BusinessLine, ...])
    assert_type(lines[0].sign_re_id, str)
    assert_type((await session.send(kfq.BUSINESS_LINES, {"contact": "a"})).result, tuple[kfq.BusinessLine, ...])
    user = kfq.ContractUser(contact_type="MOBILE", contact="13800138000")
    await session.accounts.register_company(kfq.RegisterCompanyRequest(account=user, company_name="a", is_make_seal=0))
    await session.accounts.register_person(kfq.RegisterPersonRequest(account=user, id_card_type=1, bank_card="b"))
    await session.accounts.register_person(kfq.RegisterCompanyRequest())  # type: ignore[arg-type]
    assert_type((await session.send(kfq.CONTRACT_FINISH, {"contractId": "c"})).result, object)


async def any_operation(session: kfq.AsyncSession) -> None:
    """`send` infers the result of an operation with a model, and takes a mapping for any operation."""
    response = await session.send(kfq.CORP_IDENT_LINK, kfq.CorpIdentLinkRequest())
    assert_type(response, kfq.ApiResponse[kfq.CorpIdentLink])
    assert_type(response.result.auth_url, str)
    assert_type(response.attempts, int)
    assert_type(response.http_status, int)
    assert_type(response.unique_code, str)
    assert_type((await session.send(kfq.CORP_IDENT_LINK, {"accountName": "a"})).result, kfq.CorpIdentLink)
    operation = kfq.Operation(
        "POST",
        "/auth/person/ident/link",
        result=kfq.CorpIdentLink,
        credentials=kfq.CredentialPlacement.PARAMETERS,
        idempotency=kfq.Idempotency.KEYED,
    )
    assert_type(operation, kfq.Operation[Mapping[str, object], kfq.CorpIdentLink])
    added = await session.send(operation, {}, extra_body={"scene": 1}, extra_headers={"X-Trace": "t"})
    assert_type(added.result, kfq.CorpIdentLink)
    await session.send(operation, kfq.CorpIdentLinkRequest())  # type: ignore[misc]
    plain = kfq.Operation("GET", "/contract/other", idempotency=kfq.Idempotency.SAFE)
    assert_type(plain, kfq.Operation[Mapping[str, object], Any])
    assert_type((await session.send(plain)).result, Any)
    with_request = kfq.Operation("POST", "/contract/other", request=kfq.ContractFinishRequest)
    assert_type(with_request, kfq.Operation[kfq.ContractFinishRequest, Any])


async def settings(connector: aiohttp.BaseConnector, context: ssl.SSLContext) -> None:
    """A session takes its settings by keyword, and its views are sessions."""
    async with kfq.AsyncSession(
        "PV9LQWZA",
        base_url="https://h.example/resrun-paas",
        operator_account="a",
        signer=kfq.Rsa2Signer(b"key"),
        timeouts=kfq.Timeouts(connect=5, attempt=30.0, total=None),
        retry=kfq.RetryPolicy(attempts=5, initial=0.5, maximum=8, repeat_sent=False),
        concurrency=100,
        proxy="http://proxy.example",
        ssl=context,
        trust_env=True,
        rate_limit=None,
    ) as session:
        assert_type(session, kfq.AsyncSession)
        assert_type(session.for_token("PV9LQWZB"), kfq.AsyncSession)
        assert_type(session.for_token("PV9LQWZB", operator_account="a"), kfq.AsyncSession)
        assert_type(session.with_options(operator_account=None), kfq.AsyncSession)
        assert_type(session.with_options(retry=kfq.RetryPolicy(attempts=1)), kfq.AsyncSession)
        assert_type(session.with_options(timeouts=kfq.Timeouts(), signer=None), kfq.AsyncSession)
        assert_type(session.with_options(), kfq.AsyncSession)
    assert_type(kfq.AsyncSession.from_env(), kfq.AsyncSession)
    kfq.AsyncSession.from_env(
        app_auth_token="PV9LQWZA",
        base_url="https://h.example/resrun-paas",
        operator_account=None,
        signer=None,
        timeouts=kfq.Timeouts(),
        retry=kfq.RetryPolicy(),
        concurrency=100,
        connector=None,
        proxy=None,
        ssl=None,
        trust_env=True,
        rate_limit=1.0,
        clock=lambda: 0.0,
    )
    await kfq.AsyncSession("PV9LQWZA", connector=connector, signer=kfq.CanonicalRsa2Signer("id", "key")).aclose()


def error_attributes(error: kfq.KfqError) -> None:
    """The attributes of an error are typed."""
    assert_type(error.phase, kfq.Phase)
    assert_type(error.operation, str | None)
    assert_type(error.client_request_id, str | None)
    if isinstance(error, kfq.ApiError):
        assert_type(error.code, int | None)
        assert_type(error.message, kfq.PlatformMessage | None)
        assert_type(error.http_status, int)
    if isinstance(error, kfq.TasksUnavailable):
        assert_type(error.contract_id, str)
        assert_type(error.original_error, kfq.KfqError)
    if isinstance(error, kfq.OutcomeUnknown):
        assert_type(error.original_error, kfq.KfqError)


async def handle_identity(delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None:
    """A handler of identity notifications."""
    assert_type(delivery.notification.order_status, kfq.IdentityStatus | int | None)
    assert_type(delivery.key, str)
    assert_type(delivery.client_request_id, str | None)


async def handle_event(delivery: kfq.NotificationDelivery[kfq.ContractEvent]) -> None:
    """A handler of contract events."""
    assert_type(delivery.notification.contract_status, kfq.ContractStatus | str)


async def notifications(
    urls: kfq.CallbackUrls, verifier: kfq.CallbackVerifier, events: kfq.ContractEventVerifier
) -> None:
    """The type of the verifier decides the type of the notification."""
    receiver = kfq.NotificationReceiver(handle_identity, urls=urls, verifier=verifier, store=kfq.MemoryStore())
    kfq.NotificationReceiver(handle_event, verifier=events, on_rejected=print)
    async with kfq.ContractEvents() as contract_events:
        kfq.NotificationReceiver(contract_events, verifier=events)
        contract_events.claim("c")
        async for event in contract_events.unclaimed():
            assert_type(event, kfq.ContractEvent)
    reply = await receiver.receive(b"", [(b"sign", b"x")], b"/path")
    assert_type(reply, kfq.Reply)
    assert_type(reply.status, int)
    assert_type(reply.body, bytes)
    assert_type(urls.bind(kfq.CorpIdentLinkRequest()), kfq.CorpIdentLinkRequest)
    assert_type(urls.match("/path"), str)
    assert_type(verifier.verify(b"", {"sign": "x"}, "/path"), kfq.IdentityNotification)
    assert_type(events.verify(b"", {"sign": "x"}), kfq.ContractEvent)

    kfq.NotificationReceiver(handle_identity, verifier=events)  # type: ignore[arg-type]
    kfq.NotificationReceiver(handle_event, urls=urls)  # type: ignore[arg-type]
    kfq.NotificationReceiver(kfq.ContractEvents(), urls=urls)  # type: ignore[arg-type]
    kfq.CallbackUrls(["text"], page="", notify="")  # type: ignore[list-item]


class CustomSigner:
    """Any class with a matching ``sign`` is a `Signer`."""

    def sign(self, signing_input: kfq.SigningInput) -> str:
        """Return a signature."""
        return signing_input.nonce


SIGNER: kfq.Signer = CustomSigner()


async def refusals(session: kfq.AsyncSession, link: kfq.CorpIdentLink) -> None:
    """Mistakes that type checkers find."""
    kfq.CorpIdentLinkRequest(account_name=13800138000)  # type: ignore[arg-type]
    kfq.CorpIdentLinkRequest(accountName="a")  # type: ignore[call-arg]
    kfq.CorpIdentLinkRequest("a")  # type: ignore[call-arg]
    kfq.CorpIdentLinkRequest(corp_ident_info=kfq.OprIdentInfo())  # type: ignore[arg-type]
    kfq.CorpIdentLinkRequest(corp_ident_info={"company_name": "a"})  # type: ignore[arg-type]
    kfq.CorpIdentInfo(company_type="1")  # type: ignore[arg-type]
    kfq.CorpIdentConfig(corp_verify_methods=[1])  # type: ignore[list-item]
    kfq.CorpIdentConfig(corp_verify_methods={"legalRep"})  # type: ignore[arg-type]
    kfq.CorpIdentLink(order_no="a")  # type: ignore[call-arg]
    kfq.CorpIdentLink(order_no="a", auth_url=None)  # type: ignore[arg-type]
    kfq.CorpIdentLink(order_no="a", auth_url="b", extra=["c"])  # type: ignore[arg-type]
    link.auth_url = "b"  # type: ignore[misc]
    link.extra["a"] = 1  # type: ignore[index]

    session.auth.corp_ident_link(kfq.CorpIdentLinkRequest())  # type: ignore[unused-coroutine]
    await session.auth.corp_ident_link({"accountName": "a"})  # type: ignore[arg-type]
    await session.auth.corp_ident_links(kfq.CorpIdentLinkRequest())  # type: ignore[attr-defined]
    await session.send(kfq.CORP_IDENT_LINK, kfq.CorpIdentInfo())  # type: ignore[misc]
    await session.send("POST /a", {})  # type: ignore[arg-type]

    kfq.AsyncSession(5)  # type: ignore[arg-type]
    kfq.AsyncSession("PV9LQWZA", signer="key")  # type: ignore[arg-type]
    kfq.AsyncSession("PV9LQWZA", timeouts=30)  # type: ignore[arg-type]
    kfq.AsyncSession("PV9LQWZA", "https://h.example")  # type: ignore[call-arg]
    kfq.AsyncSession.from_env(concurrency="100")  # type: ignore[arg-type]
    kfq.AsyncSession.from_env(oops=1)  # type: ignore[call-arg]
    session.with_options(timeouts=30)  # type: ignore[arg-type]
    session.with_options(concurrency=1)  # type: ignore[call-arg]
    kfq.Timeouts(attempt="30")  # type: ignore[arg-type]
    kfq.RetryPolicy(attempts="5")  # type: ignore[arg-type]
    with kfq.AsyncSession("PV9LQWZA"):  # type: ignore[attr-defined]
        pass


async def uploads(session: kfq.AsyncSession, path: Path, chunks: AsyncIterator[bytes]) -> None:
    """Files are given as a path, bytes, a binary file or an async iterable of bytes."""
    assert_type(await session.files.upload_document("a.pdf", reference="r"), kfq.UploadedDocument)
    assert_type((await session.files.upload_document(path, name="a", suffix=".pdf", progress=print)).doc_id, str)
    assert_type((await session.files.upload_attachment(chunks, name="a")).file_id, str)
    with path.open("rb") as file, path.open(encoding="utf-8") as text:
        await session.files.upload_document(file)
        await session.files.upload_document(text)  # type: ignore[arg-type]
    for source in (b"", bytearray(), memoryview(b""), io.BytesIO()):
        await session.files.upload_attachment(source, name="a", suffix=".zip")
    await session.files.upload_document(5)  # type: ignore[arg-type]
    await session.files.upload_document(path, "a")  # type: ignore[call-arg]
    response = await session.send(kfq.DOCUMENT_FILE, kfq.DocumentUpload(path), extra_body={"scene": 1})
    assert_type(response.result, kfq.UploadedDocument)
    assert_type(kfq.Timeouts(stall=10).stall, float)
    kfq.AsyncSession("a", max_upload=100_000_000)
