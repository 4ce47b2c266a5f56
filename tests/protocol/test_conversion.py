"""`to_dict` and `from_dict`: round trips of every model in both spellings, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import (
    ContractDraft,
    ContractTasks,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    FileUpload,
    IdentityNotification,
    IdentityStatus,
    UploadedDocument,
    from_dict,
    to_dict,
)
from kfq_async.models.base import Model
from protocol.test_codec import REQUESTS, RESULTS, instances_of, slow_generation

MODELS = [*REQUESTS, *RESULTS]


def test_spellings() -> None:
    """Keys are the names of the fields, or those on the wire; ``None`` is left out, and unknown keys stay."""
    link = CorpIdentLink(order_no="1", auth_url="https://x.example/a", extra={"costCents": 1})
    assert to_dict(link) == {"order_no": "1", "auth_url": "https://x.example/a", "costCents": 1}
    assert to_dict(link, by_alias=True) == {"orderNo": "1", "authUrl": "https://x.example/a", "costCents": 1}
    request = CorpIdentLinkRequest(
        corp_ident_info=CorpIdentInfo(company_name="某某", company_type=1),
        corp_ident_config=CorpIdentConfig(corp_verify_methods=["letter"]),
        client_request_id="r",
    )
    assert to_dict(request, by_alias=True) == {
        "corpIdentInfo": {"companyName": "某某", "companyType": 1},
        "corpIdentConfig": {"corpVerifyMethods": ["letter"]},
        "clientRequestId": "r",
    }
    mixed = {"corp_ident_info": {"companyName": "某某", "company_type": 1}, "client_request_id": "r"}
    assert from_dict(CorpIdentLinkRequest, mixed).corp_ident_info == request.corp_ident_info


def test_secrets_stay_masked() -> None:
    """A printed dictionary shows no secret text; JSON holds it."""
    data = to_dict(CorpIdentLinkRequest(account_name="13800138000"))
    assert "13800138000" not in repr(data)
    assert json.loads(json.dumps(data)) == orjson.loads(orjson.dumps(data)) == data
    assert data["account_name"] == "13800138000"


def test_enumerations_are_written_as_their_values() -> None:
    """A status is the platform's number."""
    data = to_dict(IdentityNotification(order_status=IdentityStatus.EXPIRED))
    assert data == {"order_status": 4}
    assert type(data["order_status"]) is int
    assert from_dict(IdentityNotification, data).order_status is IdentityStatus.EXPIRED


def test_fields_that_the_package_fills_in() -> None:
    """The tasks of a draft and the name of a document are part of a dictionary; a layout is not."""
    tasks = ContractTasks(status="SIGNING", todo_task_list=())
    draft = ContractDraft(contract_id="c", tasks=tasks)
    assert from_dict(ContractDraft, to_dict(draft)) == draft
    assert to_dict(draft)["tasks"]["status"] == "SIGNING"
    document = UploadedDocument(doc_id="d", name="合同", layout=object())  # type: ignore[arg-type]
    assert to_dict(document) == {"doc_id": "d", "name": "合同"}
    assert from_dict(UploadedDocument, to_dict(document)).name == "合同"


def test_a_field_counts_over_an_unknown_key() -> None:
    """An unknown key with the name of a field does not replace it."""
    assert to_dict(CorpIdentLink(order_no="1", auth_url="a", extra={"order_no": "2"}))["order_no"] == "1"


@slow_generation
@given(st.data(), st.sampled_from(MODELS), st.booleans())
def test_round_trip(data: st.DataObject, kind: Any, by_alias: bool) -> None:  # noqa: FBT001
    """Every model is the same after a round trip, through JSON too, in both spellings."""
    model = data.draw(instances_of(kind))
    plain = to_dict(model, by_alias=by_alias)
    assert from_dict(kind, plain) == model
    assert from_dict(kind, json.loads(json.dumps(plain))) == model


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"orderNo": "1"}, "required key missing @ $.authUrl"),
        ({"order_no": 1, "auth_url": "a"}, "expected a string, not a number @ $.orderNo"),
        ({"order_no": "1", "orderNo": "1", "authUrl": "a"}, "$.orderNo is given twice"),
        ([], "expected an object, not a list"),
        (None, "expected an object, not null"),
    ],
)
def test_refused_results(data: Any, problem: str) -> None:
    """A wrong key or value is named with its path."""
    with pytest.raises(ValueError, match=r"^") as caught:
        from_dict(CorpIdentLink, data)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"acount_name": "1"}, "unknown key acount_name @ $"),
        ({"corp_ident_info": {"company_type": "1"}}, "expected an integer, not a string @ $.corpIdentInfo.companyType"),
        ({"corp_ident_info": {"a": 1, "b": 1}}, "unknown key a, b @ $.corpIdentInfo"),
        ({"corp_ident_info": {"license": "", "companyName": "", "company_name": ""}}, "$.corpIdentInfo.companyName is"),
        ({"corp_ident_config": {"corp_verify_methods": "letter"}}, "expected a list, not a string"),
        ({"corp_ident_config": {"corp_verify_methods": ["letter", 1]}}, "item 1: expected a string, not a number"),
    ],
)
def test_refused_requests(data: Any, problem: str) -> None:
    """A request refuses unknown keys too, at each level; the message holds no value."""
    with pytest.raises(ValueError, match=r"^") as caught:
        from_dict(CorpIdentLinkRequest, data)
    assert problem in str(caught.value)


@pytest.mark.parametrize("kind", [dict, str, FileUpload, "CorpIdentLink", None])
def test_other_classes(kind: Any) -> None:
    """Only the models of this package are converted."""
    with pytest.raises(TypeError, match="from_dict takes a model class of kfq_async"):
        from_dict(kind, {})


@pytest.mark.parametrize("value", [{}, None, "a", CorpIdentLink, FileUpload])
def test_other_values(value: Any) -> None:
    """Only instances of models are converted."""
    with pytest.raises(TypeError, match="to_dict takes a model of kfq_async"):
        to_dict(value)


def test_every_model_is_covered() -> None:
    """The round trips cover requests, results and notifications, each of which is a `Model`."""
    assert {CorpIdentLinkRequest, CorpIdentLink, IdentityNotification, ContractDraft} <= set(MODELS)
    assert all(issubclass(kind, Model) for kind in MODELS)
