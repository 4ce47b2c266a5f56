"""Signing page over HTTP: links, access, forms, late and repeated forms, marks, pictures and languages."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from PIL import Image

from contract_platform import COLLEAGUE, COMPANY, PARTNER, SECOND, ContractPlatform, company, node, receiver, sender
from kfq_async.documents import PdfError
from kfq_async.sandbox.contract_repository import state_of
from kfq_async.sandbox.lifecycle import Change, ContractState, Party, delete, sign, start, withdraw
from kfq_async.sandbox.web import signing_page
from orders import HOSTILE
from pages import ParsedPage
from pdfs import A4, pdf
from self_hosted import OPERATOR, PERSON
from signing_client import CALLBACK, HttpPage, SigningClient, changed_query, serve_signing_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kfq_async.sandbox import Contract

DAY_MS = 24 * 60 * 60 * 1000
PLACED = {"controlWidth": "60", "controlHeight": "60", "offsetX": "0.25", "offsetY": "0.3"}
"""Position of a square box that every page of the tests shows, turned and cropped or not."""
ROTATED = ["", "/Rotate 90", "/Rotate 180", "/Rotate 270"]
CROPPED = "/CropBox[50 80 500 800]"


@pytest.fixture
async def desk() -> AsyncIterator[SigningClient]:
    """The signing page of a platform."""
    async with serve_signing_page(ContractPlatform()) as client:
        yield client


def approval(desk: SigningClient) -> str:
    """Start a contract that the operator approves before a person signs."""
    return desk.platform.draft(sender(node("APPROVER_CHECK")), desk.platform.signer(order="2"))


def fill_in_first(state: ContractState) -> ContractState:
    """Turn the first party's steps into ones that fill in fields."""
    first, *others = state.parties
    steps = tuple(evolve(step, fills_in=True, positions=()) for step in first.steps)
    return evolve(state, status="WRITING", parties=(evolve(first, steps=steps), *others))


def has_closed(party: Party) -> Party:
    """Close the steps of a party."""
    return evolve(party, steps=tuple(evolve(step, state="closed") for step in party.steps))


async def test_a_link_without_login_opens_the_task(desk: SigningClient) -> None:
    """The page shows the contract, who acts, what is asked, every page, and where the marks will be."""
    contract_id = desk.platform.draft(desk.platform.signer(), sn="HT-7", expireDate="2026-05-01")
    page = await desk.open(contract_id)
    assert page.status == 200
    for text in ("框架合同", COMPANY, "林二", PERSON, contract_id, "签署", "HT-7", "2026-05-01 00:00", "共 3 页"):
        assert text in page.text
    assert len(page.pictures) == 3
    assert len(page.frames) == 1
    assert page.buttons == ["complete", "refuse"]
    assert {"script", "iframe"}.isdisjoint(ParsedPage(page.html).tags)
    assert {"style", "onclick"}.isdisjoint(ParsedPage(page.html).attributes)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'; " in policy
    assert page.headers["Cache-Control"] == "no-store"


async def test_a_link_that_needs_login_shows_whose(desk: SigningClient) -> None:
    """The page shows the account that would have to log in, and continues as that account on request."""
    contract_id = desk.platform.draft(desk.platform.signer())
    login = await desk.get(desk.short_link(contract_id, noLogin=None))
    assert login.status == 200
    for text in ("需要登录", PERSON, "以 林二 的身份继续", "沙箱无需登录"):
        assert text in login.text
    assert login.buttons == ["continue"]
    continued = await desk.post("/sandbox/contract", login.hidden)
    assert continued.status == 303
    assert continued.location is not None
    assert (await desk.get(continued.location)).buttons == ["complete", "refuse"]


async def test_the_link_of_a_task_shows_whose_login(desk: SigningClient) -> None:
    """The start page leads there; an enterprise's task names the enterprise."""
    agent = node("AGENT_SIGN", PARTNER, positionParamList=[desk.platform.position()])
    contract_id = desk.platform.draft(company(agent))
    login = await desk.get(desk.task_link(contract_id))
    assert login.hidden["callbackPage"] == CALLBACK
    for text in ("西方示例有限公司", "杜五", PARTNER):
        assert text in login.text
    assert (await desk.open_task(contract_id)).buttons == ["complete", "refuse"]


@pytest.mark.parametrize("path", ["/sandbox/contract", "/sandbox/sign/login"])
@pytest.mark.parametrize("token", ["", "wrong", "é"])
async def test_continuing_needs_the_token_of_the_page(desk: SigningClient, path: str, token: str) -> None:
    """A form that the page did not send is refused."""
    contract_id = desk.platform.draft(desk.platform.signer())
    link = desk.short_link(contract_id, noLogin=None) if path.endswith("contract") else desk.task_link(contract_id)
    login = await desk.get(link)
    refused = await desk.post(path, login.hidden | {"token": token})
    assert (refused.status, refused.location) == (403, None)
    assert "表单已失效" in refused.text


async def test_unknown_and_expired_links(desk: SigningClient) -> None:
    """A code that does not exist, and a link that has expired, have a page of their own."""
    contract_id = desk.platform.draft(desk.platform.signer())
    link = desk.short_link(contract_id)
    for path in ("/sandbox/contract", "/sandbox/contract?code=aaaaaaaa", "/sandbox/sign", "/sandbox/sign/login"):
        missing = await desk.get(path)
        assert (missing.status, "链接无效" in missing.text) == (404, True)
    desk.platform.now_ms += 3 * DAY_MS
    expired = await desk.get(link)
    assert (expired.status, "链接已过期" in expired.text) == (410, True)


async def test_the_link_of_a_task_that_does_not_exist(desk: SigningClient) -> None:
    """A task of another contract, an automatic seal, and no task at all are refused."""
    parties = (sender(desk.platform.seal()), desk.platform.signer(order="2"))
    contract_id = await asyncio.to_thread(desk.platform.draft, *parties)
    automatic = next(state_of(desk.contract(contract_id)).steps).task_id
    for task_id in ("", "none", automatic):
        path = f"/sandbox/sign/login?contractId={contract_id}&taskId={task_id}"
        assert (await desk.get(path)).status == 404


@pytest.mark.parametrize("name", ["contract", "task", "callback", "until", "key"])
@pytest.mark.parametrize("value", ["", "99999999999", "é"])
async def test_a_changed_page_is_refused(desk: SigningClient, name: str, value: str) -> None:
    """The page, its forms and its pictures open with the key only, and the key fits nothing else."""
    page = await desk.open(desk.platform.draft(desk.platform.signer()))
    if page.hidden[name] == value:
        value = "x"
    assert (await desk.get(changed_query(page.path, **{name: value}))).status == 404
    assert (await desk.get(changed_query(page.pictures[0], **{name: value}))).status == 404
    assert (await desk.press(page, **{name: value})).status == 403
    assert desk.platform.events == [event for event in desk.platform.events if "SUBMIT" not in str(event)]


async def test_a_page_ends_after_a_day(desk: SigningClient) -> None:
    """A day after a link was opened, its page is no longer usable."""
    page = await desk.open(desk.platform.draft(desk.platform.signer()))
    desk.platform.now_ms += DAY_MS
    assert (await desk.get(page.path)).status == 404
    assert (await desk.press(page)).status == 403


async def test_sign(desk: SigningClient) -> None:
    """A signature completes the contract, sends the events of the platform, and shows the result."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open(contract_id)
    signed = await desk.press(page)
    assert signed.status == 303
    assert signed.location is not None
    result = await desk.get(signed.location)
    assert "您已签署" in result.text
    assert (result.buttons, result.frames) == ([], [])
    assert desk.platform.tasks(contract_id) == ("COMPLETE", [])
    assert desk.platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"]


async def test_a_signature_needs_consent(desk: SigningClient) -> None:
    """Nothing is signed until the box is ticked, whatever the browser has checked."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open(contract_id)
    refused = await desk.press(page, agree="")
    assert (refused.status, "请先勾选" in refused.text) == (400, True)
    assert desk.platform.tasks(contract_id)[0] == "SIGNING"


@pytest.mark.parametrize("action", ["", "sign", "COMPLETE"])
async def test_unknown_actions(desk: SigningClient, action: str) -> None:
    """An action that the page does not have is refused."""
    contract_id = desk.platform.draft(desk.platform.signer())
    assert (await desk.press(await desk.open(contract_id), action)).status == 400
    assert desk.platform.tasks(contract_id)[0] == "SIGNING"


async def test_seals_of_an_enterprise(desk: SigningClient) -> None:
    """The operator of a receiving enterprise signs and then seals, each in a task of its own."""
    seal = node("ENTERPRISE_SEAL", PARTNER, "2", positionParamList=[desk.platform.position(controlType="SEAL")])
    agent = node("AGENT_SIGN", PARTNER, positionParamList=[desk.platform.position()])
    contract_id = desk.platform.draft(company(agent, seal))
    await desk.press(await desk.open(contract_id, PARTNER))
    page = await desk.open(contract_id, PARTNER)
    assert "确认盖章" in page.html
    assert "企业盖章" in page.text
    await desk.press(page)
    assert desk.platform.events_of(contract_id)[1:] == [
        "SUBMIT_SIGN/SIGNING",
        "SUBMIT_SIGN/COMPLETE",
        "COMPLETE/COMPLETE",
    ]


@pytest.mark.parametrize(
    ("comment", "reason"), [("价格不符", "价格不符"), ("价格\r\n不符\r\n", "价格\n不符"), (" \r\n", None), ("", None)]
)
async def test_refuse_to_sign(desk: SigningClient, comment: str, reason: str | None) -> None:
    """A refusal ends the contract, and its event has the reason if there is one."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open(contract_id)
    refused = await desk.press(page, "refuse", comment=comment)
    assert refused.location is not None
    assert desk.platform.tasks(contract_id) == ("REFUSAL_SIGN", [])
    assert desk.platform.events[-1][2].get("reason") == reason
    result = await desk.get(refused.location)
    assert "合同已被拒绝" in result.text
    assert (reason or "") in result.html


@pytest.mark.parametrize(
    ("action", "status", "events"),
    [("complete", "SIGNING", ["SUBMIT_APPROVE/SIGNING"]), ("refuse", "REFUSAL_SIGN", ["REFUSAL_APPROVE/REFUSAL_SIGN"])],
)
async def test_approvals(desk: SigningClient, action: str, status: str, events: list[str]) -> None:
    """An approval passes the contract on, or ends it; neither event has the comment."""
    contract_id = approval(desk)
    page = await desk.open(contract_id, OPERATOR)
    assert "不同意" in page.text
    assert page.frames == []
    await desk.press(page, action, comment="请复核", agree="")
    assert desk.platform.tasks(contract_id)[0] == status
    assert desk.platform.events_of(contract_id)[1:] == events
    assert "reason" not in desk.platform.events[-1][2]


@pytest.mark.parametrize(
    ("action", "status", "event"),
    [("complete", "SIGNING", "SUBMIT_WRITE/SIGNING"), ("refuse", "REFUSAL_WRIT", "REFUSAL_WRITE/REFUSAL_WRIT")],
)
async def test_fill_in(desk: SigningClient, action: str, status: str, event: str) -> None:
    """A task that fills in fields is submitted or refused."""
    contract_id = desk.platform.draft(desk.platform.signer(), desk.platform.signer(SECOND, "2"))
    desk.change(contract_id, fill_in_first)
    page = await desk.open(contract_id)
    assert "没有可填写的字段" in page.text
    done = await desk.press(page, action, agree="")
    assert desk.contract(contract_id).status == status
    assert desk.platform.events_of(contract_id)[-1] == event
    assert done.location is not None
    assert ("您已完成填写" if action == "complete" else "合同已被拒绝") in (await desk.get(done.location)).text


@pytest.mark.parametrize("action", ["complete", "refuse"])
async def test_the_browser_returns_to_the_callback_page(desk: SigningClient, action: str) -> None:
    """After a task or its refusal the browser goes to ``callbackPage``, which the policy allows."""
    page = await desk.open_task(desk.platform.draft(desk.platform.signer()))
    assert "form-action 'self' http://127.0.0.1:8000 " in page.headers["Content-Security-Policy"]
    done = await desk.press(page, action)
    assert (done.status, done.location) == (303, CALLBACK)
    assert f'<a href="{CALLBACK}">' in (await desk.get(page.path)).html


@pytest.mark.parametrize("callback", [None, "javascript:alert(1)", "//elsewhere.example/", "nothing"])
async def test_callback_pages_that_cannot_be_used(desk: SigningClient, callback: str | None) -> None:
    """Without an http or https address the browser stays on the page, which shows the result."""
    page = await desk.open_task(desk.platform.draft(desk.platform.signer()), callback=callback)
    done = await desk.press(page)
    assert done.location is not None
    assert done.location.startswith("/sandbox/sign?")
    assert "javascript:" not in (await desk.get(done.location)).html.replace("javascript%3A", "")


async def test_a_repeated_form_does_nothing_twice(desk: SigningClient) -> None:
    """A second press leads to where the first one led, and signs nothing again."""
    contract_id = desk.platform.draft(desk.platform.signer(), desk.platform.signer(SECOND, "2"))
    page = await desk.open_task(contract_id)
    first, second = await desk.press(page), await desk.press(page)
    assert first.location == second.location == CALLBACK
    assert desk.platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING"]


async def test_two_forms_at_once(desk: SigningClient) -> None:
    """Of forms that arrive at the same time one signs, and all lead to the result."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open_task(contract_id)
    pressed = await asyncio.gather(*(desk.press(page) for _ in range(4)))
    assert {each.location for each in pressed} == {CALLBACK}
    assert desk.platform.events_of(contract_id)[1:] == ["SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"]


async def test_a_form_that_comes_too_late(desk: SigningClient) -> None:
    """A form of a task that another page has ended leads to the page that tells so, and changes nothing."""
    contract_id = desk.platform.draft(desk.platform.signer(), signOrderType="NO_ORDER")
    page = await desk.open_task(contract_id)
    await desk.press(page, "refuse", comment="不签")
    late = await desk.press(page)
    assert late.location is not None
    assert "合同已被拒绝" in (await desk.get(late.location)).text
    assert desk.platform.tasks(contract_id)[0] == "REFUSAL_SIGN"
    assert len(desk.platform.events_of(contract_id)) == 2


async def test_a_refusal_after_the_signature(desk: SigningClient) -> None:
    """A refusal of a task that is done leads to its result."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open_task(contract_id)
    await desk.press(page)
    late = await desk.press(page, "refuse")
    assert late.location is not None
    assert "您已签署" in (await desk.get(late.location)).text
    assert desk.platform.tasks(contract_id)[0] == "COMPLETE"


@pytest.mark.parametrize("comes_between", ["another form", "another party"])
async def test_a_form_that_loses_the_race(
    desk: SigningClient, comes_between: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form that finds its task changed only while it is performed changes nothing either."""
    contract_id = desk.platform.draft(desk.platform.signer(), signOrderType="NO_ORDER", autoFinish=0)
    page = await desk.open_task(contract_id)
    apply = desk.platform.repository.apply

    def apply_late(contract: Contract, transition: Callable[[ContractState], Change], **_: object) -> Contract:
        monkeypatch.undo()
        if comes_between == "another form":
            apply(contract, lambda state: sign(state, page.hidden["task"], by_proxy=False))
        else:
            added = receiver(SECOND, "2", positionParamList=[desk.platform.position()])
            desk.platform.ask("/contract/signer/add", contractId=contract_id, signerList=[added])
        return apply(contract, transition)

    monkeypatch.setattr(desk.platform.repository, "apply", apply_late)
    late = await desk.press(page)
    assert (late.status, late.location) == ((303, CALLBACK) if comes_between == "another form" else (410, None))
    assert desk.platform.events_of(contract_id).count("SUBMIT_SIGN/SIGNING") == (comes_between == "another form")


ENDS: dict[str, tuple[Callable[[ContractState], ContractState], str]] = {
    "withdrawn": (lambda state: withdraw(state, "改价").state, "合同已撤回"),
    "deleted": (lambda state: delete(withdraw(state, None).state).state, "合同已删除"),
    "too late": (
        lambda state: evolve(state, parties=tuple(map(has_closed, state.parties))),
        "任务已关闭",
    ),
}


@pytest.mark.parametrize(("change", "text"), ENDS.values(), ids=ENDS.keys())
async def test_tasks_that_have_ended(
    desk: SigningClient, change: Callable[[ContractState], ContractState], text: str
) -> None:
    """The page of a task that cannot be performed any more says why, and has no form; its old form does nothing."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open(contract_id)
    desk.change(contract_id, change)
    ended = await desk.get(page.path)
    assert (ended.status, ended.buttons, text in ended.text) == (200, [], True)
    before = desk.contract(contract_id)
    assert (await desk.press(page)).status == 303
    assert desk.contract(contract_id) == before


async def test_an_expired_contract(desk: SigningClient) -> None:
    """A contract whose deadline has passed is expired when the page is opened."""
    contract_id = desk.platform.draft(desk.platform.signer(), expireDate="2026-04-02")
    link = desk.short_link(contract_id)
    desk.platform.now_ms += DAY_MS * 3 // 2
    assert "合同已过期" in (await desk.get(link)).text
    assert desk.platform.events_of(contract_id)[-1] == "EXPIRED/SIGNING"


async def test_tasks_that_are_not_open_yet(desk: SigningClient) -> None:
    """A link of a contact whose turn has not come, or of a draft, says so, and opens the form later."""
    contract_id = desk.platform.draft(desk.platform.signer(), desk.platform.signer(SECOND, "2"))
    link = desk.short_link(contract_id, SECOND)
    assert "尚未轮到您" in (await desk.get(link)).text
    await desk.press(await desk.open(contract_id))
    assert (await desk.get(link)).buttons == ["complete", "refuse"]
    draft = desk.platform.draft(desk.platform.signer(), send="0")
    page = await desk.open(draft)
    assert "合同尚未发起" in page.text
    assert (await desk.press(page)).location is not None
    assert desk.contract(draft).status == "DRAFT"
    desk.apply(draft, start)
    assert (await desk.get(page.path)).buttons == ["complete", "refuse"]


async def test_a_task_that_was_replaced(desk: SigningClient) -> None:
    """Parties that are asked again get other tasks: the page of the old one says that it is closed."""
    contract_id = desk.platform.draft(desk.platform.signer(), signOrderType="NO_ORDER", autoFinish=0)
    page = await desk.open(contract_id)
    added = receiver(SECOND, "2", positionParamList=[desk.platform.position()])
    assert desk.platform.ask("/contract/signer/add", contractId=contract_id, signerList=[added]).code == 10000
    assert (await desk.get(page.path)).status == 410
    assert (await desk.press(page)).status == 410
    assert (await desk.get(page.pictures[0])).status == 404


async def test_a_link_to_several_tasks(desk: SigningClient) -> None:
    """A contact with several open tasks chooses one."""
    parties = (sender(node("AGENT_SIGN", COLLEAGUE)), desk.platform.signer(COLLEAGUE, "2"))
    contract_id = desk.platform.draft(*parties, signOrderType="NO_ORDER")
    page = await desk.open(contract_id, COLLEAGUE)
    assert "请选择待办事项" in page.text
    assert page.html.count('<a href="/sandbox/sign?') == 2
    (one,) = [task for task in desk.platform.tasks(contract_id)[1] if task["partyType"] == "PERSONAL"]
    assert (await desk.open(contract_id, COLLEAGUE, taskId=one["taskId"])).hidden["task"] == one["taskId"]
    assert (await desk.open(contract_id, COLLEAGUE, partyName=COMPANY)).hidden["task"] != one["taskId"]


async def test_a_link_to_no_task(desk: SigningClient) -> None:
    """The initiator, who has no task, sees the progress of the contract."""
    contract_id = desk.platform.draft(desk.platform.signer())
    page = await desk.open(contract_id, OPERATOR)
    assert "当前没有待办事项" in page.text
    assert "林二" in page.text
    login = await desk.get(desk.short_link(contract_id, OPERATOR, noLogin=None))
    assert f"以 {OPERATOR} 的身份继续" in login.text


async def red_box(desk: SigningClient, page: HttpPage, number: int = 1) -> tuple[float, float, float, float]:
    """Return left, top, width and height of what is red in a picture, as fractions of its sides."""
    async with desk.http.get(page.pictures[number - 1]) as response:
        assert response.content_type == "image/png"
        picture = Image.open(io.BytesIO(await response.read())).convert("RGB")
    red, green, _ = picture.split()
    mask = Image.eval(green, lambda value: 255 if value < 150 else 0)
    box = Image.composite(
        mask, Image.new("L", picture.size), red.point(lambda value: 255 if value > 150 else 0)
    ).getbbox()
    assert box is not None
    left, top, right, bottom = box
    width, height = picture.size
    return left / width, top / height, (right - left) / width, (bottom - top) / height


@pytest.mark.parametrize("crop", ["", CROPPED])
@pytest.mark.parametrize("rotate", ROTATED)
async def test_marks_land_where_the_frames_are(desk: SigningClient, rotate: str, crop: str) -> None:
    """The frame stands where the picture shows the mark once it is signed, on turned and cropped pages too."""
    doc_id = desk.platform.upload("附件", pdf([""], boxes=f"{A4}{crop}{rotate}"))
    position = desk.platform.position(**PLACED, relationDocList=[{"docType": "1", "docId": doc_id}])
    contract_id = desk.platform.draft(receiver(positionParamList=[position]), signDocumentList=[{"docId": doc_id}])
    page = await desk.open(contract_id)
    (frame,) = page.frames
    await desk.press(page)
    signed = await desk.get(page.path)
    width, height = (595, 842) if not crop else (450, 720)
    if rotate in {"/Rotate 90", "/Rotate 270"}:
        width, height = height, width
    left, top, wide, high = await red_box(desk, signed)
    found = (left * width, top * height, wide * width, high * height)
    # A person's seal has a margin around its frame.
    assert found == pytest.approx(frame, abs=7)
    assert (found[0] + found[2] / 2, found[1] + found[3] / 2) == pytest.approx(
        (frame[0] + frame[2] / 2, frame[1] + frame[3] / 2), abs=1.5
    )


async def test_pictures(desk: SigningClient) -> None:
    """Pictures are kept by the browser alone; those of pages and documents that do not exist are refused."""
    page = await desk.open(desk.platform.draft(desk.platform.signer()))
    async with desk.http.get(page.pictures[2]) as response:
        assert response.headers["Cache-Control"] == "private, max-age=3600"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert Image.open(io.BytesIO(await response.read())).width == 1200
    for change in ({"page": "0"}, {"page": "4"}, {"page": "x"}, {"document": "1"}, {"document": "-1"}):
        assert (await desk.get(changed_query(page.pictures[0], **change))).status == 404
    assert (await desk.get(page.pictures[0].replace("&document=0", ""))).status == 404


async def test_a_signed_document_has_other_pictures(desk: SigningClient) -> None:
    """The URL of a picture changes with a signature, so that the browser shows no old one."""
    page = await desk.open(desk.platform.draft(desk.platform.signer()))
    await desk.press(page)
    assert set((await desk.get(page.path)).pictures).isdisjoint(page.pictures)


@pytest.mark.parametrize("place", ["right-bottom", "left-top", "center-middle"])
@pytest.mark.parametrize("boxes", [A4, f"{A4}/Rotate 90", f"{A4}/Rotate 270{CROPPED}", f"{A4}/Rotate 180{CROPPED}"])
async def test_a_person_without_a_position_chooses_one(desk: SigningClient, boxes: str, place: str) -> None:
    """The frame and the mark stand at the place chosen, inside the page."""
    doc_id = desk.platform.upload("附件", pdf(["", ""], boxes=boxes))
    contract_id = desk.platform.draft(receiver(), signDocumentList=[{"docId": doc_id}])
    page = await desk.get(f"{(await desk.open(contract_id)).path}&document=0&page=1&place={place}")
    ((left, top, width, height),) = page.frames
    size = {"Rotate 90": (842, 595), "Rotate 270": (720, 450), "Rotate 180": (450, 720)}
    shown_width, shown_height = next((value for key, value in size.items() if key in boxes), (595, 842))
    across, _, down = place.partition("-")
    # On a turned page the platform cannot reach the right.
    farthest = 595 - width - (0 if "Rotate 90" in boxes else -80) if "90" in boxes or "270" in boxes else shown_width
    expected = {"left": 40, "center": (shown_width - width) / 2, "right": min(shown_width - width - 40, farthest)}
    assert left == pytest.approx(expected[across], abs=0.1)
    expected = {"top": 40, "middle": (shown_height - height) / 2, "bottom": shown_height - height - 40}
    assert top == pytest.approx(expected[down], abs=0.1)
    await desk.press(page, document="0", page="1", place=place)
    await red_box(desk, await desk.get(page.path))
    assert desk.platform.tasks(contract_id)[0] == "COMPLETE"


async def test_the_default_place(desk: SigningClient) -> None:
    """Without a choice the mark stands at the right bottom of the last page; a seal is larger than a signature."""
    contract_id = desk.platform.draft(company(node("ENTERPRISE_SEAL", PARTNER)), desk.platform.signer(order="2"))
    page = await desk.open(contract_id, PARTNER)
    assert ParsedPage(page.html).fields["page"]["value"] == "3"
    assert page.frames == [pytest.approx((435, 682, 120, 120), abs=0.1)]
    await desk.press(page)
    assert [position.control_type for position in next(state_of(desk.contract(contract_id)).steps).positions] == [
        "SEAL"
    ]


@pytest.mark.parametrize(
    "fields", [{"page": "4"}, {"page": "0"}, {"page": "x"}, {"document": "1"}, {"place": "outside"}, {"page": "9" * 99}]
)
async def test_places_that_do_not_exist(desk: SigningClient, fields: dict[str, str]) -> None:
    """A page or document that does not exist is refused; the preview tells why and shows the default again."""
    contract_id = desk.platform.draft(receiver())
    page = await desk.open(contract_id)
    refused = await desk.press(page, **{"document": "0", "page": "3", "place": "left-top"} | fields)
    assert (refused.status, "合同没有变化" in refused.text) == (409, True)
    assert desk.platform.tasks(contract_id)[0] == "SIGNING"
    preview = await desk.get(f"{page.path}&{'&'.join(f'{name}={value}' for name, value in fields.items())}")
    assert "签章位置无法使用" in preview.text
    assert ParsedPage(preview.html).fields["page"]["value"] == "3"


async def test_a_contract_that_cannot_be_signed(desk: SigningClient) -> None:
    """The page warns of a date, which the platform cannot sign, and a signature changes nothing."""
    date = desk.platform.position(controlType="SIGN_DATE", signDateFormat="LINE", offsetX="0.1")
    contract_id = desk.platform.draft(receiver(positionParamList=[desk.platform.position(), date]))
    page = await desk.open(contract_id)
    assert "签章位置无法使用" in page.text
    assert len(page.frames) == 1
    failed = await desk.press(page)
    assert (failed.status, "日期" in failed.text) == (409, True)
    assert desk.platform.tasks(contract_id)[0] == "SIGNING"


async def test_languages(desk: SigningClient) -> None:
    """Every page exists in English, links to the other language, and remembers its own."""
    contract_id = desk.platform.draft(desk.platform.signer())
    link = desk.short_link(contract_id, noLogin=None)
    login = await desk.get(f"{link}&lang=en")
    assert '<html lang="en">' in login.html
    assert "Continue as 林二" in login.text
    continued = await desk.post("/sandbox/contract", login.hidden)
    assert continued.location is not None
    page = await desk.get(continued.location)
    assert "I have read all documents" in page.text
    assert not {"签署进度", "确认签署"} & set(ParsedPage(page.html).text)
    signed = await desk.press(page)
    assert signed.location is not None
    assert "You have signed" in (await desk.get(signed.location)).text
    assert '<html lang="zh-CN">' in (await desk.get(changed_query(page.path, lang="fr"))).html


async def test_the_other_language_shows_the_same(desk: SigningClient) -> None:
    """The link to the other language keeps the place that was chosen; a link to no task has one, too."""
    contract_id = desk.platform.draft(receiver())
    page = await desk.get(f"{(await desk.open(contract_id)).path}&document=0&page=2&place=left-top")
    english = await desk.get(page.other_language)
    assert '<html lang="en">' in english.html
    assert english.frames == page.frames
    assert ParsedPage(english.html).fields["page"]["value"] == "2"
    nothing = await desk.open(contract_id, OPERATOR)
    assert "Nothing to do now" in (await desk.get(nothing.other_language)).text


async def test_a_result_precedes_the_documents(desk: SigningClient) -> None:
    """What became of a task is seen without scrolling past the documents, on a phone too."""
    page = await desk.open(desk.platform.draft(desk.platform.signer()))
    await desk.press(page)
    result = await desk.get(page.path)
    assert result.html.index("您已签署") < result.html.index("<img")


async def test_a_page_without_a_visible_part(desk: SigningClient) -> None:
    """A page of which nothing is visible has no picture; the page around it is shown."""
    doc_id = desk.platform.upload("附件", pdf([""], boxes=f"{A4}/CropBox[1000 1000 1100 1100]"))
    page = await desk.open(desk.platform.draft(receiver(), signDocumentList=[{"docId": doc_id}]))
    assert page.status == 200
    assert (await desk.get(page.pictures[0])).status == 404


async def test_markup_in_values_is_text(desk: SigningClient) -> None:
    """Markup in a subject, a name, a document, an unknown step or a reason adds no element to a page."""
    doc_id = desk.platform.upload(HOSTILE[:100], pdf([""]))
    person: dict[str, Any] = {"name": HOSTILE[:20], "contactType": "MOBILE", "contact": PARTNER}
    contract_id = desk.platform.draft(
        company(node("<b>", PARTNER, signer=person), name=HOSTILE[:50]),
        subject=HOSTILE,
        sn=HOSTILE,
        signDocumentList=[{"docId": doc_id}],
    )
    login = await desk.get(desk.short_link(contract_id, PARTNER, noLogin=None))
    page = await desk.open_task(contract_id, callback=f"http://h/?{HOSTILE}")
    await desk.press(page, "refuse", comment=HOSTILE)
    for shown in (login, page, await desk.get(page.path), await desk.open(contract_id, OPERATOR)):
        assert HOSTILE in ParsedPage(shown.html).text
        assert "<script" not in shown.html
        assert "<b>" not in shown.html
        assert "onload" not in ParsedPage(shown.html).attributes


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (ModuleNotFoundError("no"), "pip install 'kfq-async[sandbox]'"),
        (PdfError("the PDF is encrypted"), "the PDF is encrypted"),
    ],
)
async def test_documents_that_cannot_be_shown(
    desk: SigningClient, problem: Exception, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says why there are no pictures, and the task can be performed all the same."""

    def fail(*_: object) -> None:
        raise problem

    contract_id = approval(desk)
    opened = await desk.open(contract_id, OPERATOR)
    monkeypatch.setattr(signing_page, "page_sizes", fail)
    monkeypatch.setattr(signing_page, "render_page", fail)
    page = await desk.get(opened.path)
    assert text in page.text
    assert page.pictures == []
    assert (await desk.get(opened.pictures[0])).status == 404
    assert (await desk.press(page)).status == 303


async def test_a_document_without_pages_to_choose(desk: SigningClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place to choose, the page says why, and offers no fields for it."""

    def fail(*_: object) -> None:
        raise ModuleNotFoundError("no")

    contract_id = desk.platform.draft(receiver())
    page = await desk.open(contract_id)
    monkeypatch.setattr("kfq_async.sandbox.documents.open_pdf", fail)
    shown = await desk.get(page.path)
    assert "pip install 'kfq-async[" in shown.text
    assert "place" not in ParsedPage(shown.html).fields
    assert (await desk.press(page)).status == 409
