"""Models of this package in FastAPI: bodies, results, errors and the OpenAPI page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
import pytest
from fastapi import Body, FastAPI
from fastapi._compat import shared

import kfq_async as kfq
from kfq_async.integrations import fastapi as fastapi_integration
from web_servers import uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK = kfq.CorpIdentLink(order_no="1", auth_url="https://x.example/a")


def make_app() -> FastAPI:
    """Return an application whose path operations take and return models."""
    app = FastAPI()

    @app.post("/ask")
    async def ask(request: kfq.CorpIdentLinkRequest) -> kfq.CorpIdentLinkRequest:
        return request

    @app.post("/maybe")
    async def maybe(request: kfq.CorpIdentLinkRequest | None = None, note: str = "") -> dict[str, Any]:
        return {"account": request and request.account_name, "note": note}

    @app.post("/explicit")
    async def explicit(request: Annotated[kfq.CorpIdentLinkRequest, Body(embed=True)]) -> Any:
        return request

    @app.get("/links", response_model_by_alias=False)
    async def links() -> list[kfq.CorpIdentLink]:
        return [LINK]

    @app.get("/bare", response_model=None)
    async def bare() -> dict[str, Any]:
        return {"links": [LINK]}

    @app.get("/any")
    async def untyped() -> dict[str, Any]:
        return {"links": [LINK]}

    return app


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Origin of the application."""
    with uvicorn_serving(make_app()) as origin:
        yield origin


async def request_json(method: str, url: str, data: Any = None) -> tuple[int, Any]:
    """Return status and JSON of a response."""
    async with aiohttp.ClientSession() as http, http.request(method, url, json=data) as response:
        return response.status, await response.json()


async def test_body_and_annotated_result(origin: str) -> None:
    """A body in either spelling becomes a request; the result has wire names."""
    body = {"accountName": "13800138000", "corp_ident_info": {"companyName": "某某"}, "client_request_id": "r"}
    assert await request_json("POST", f"{origin}/ask", body) == (
        200,
        {"accountName": "13800138000", "corpIdentInfo": {"companyName": "某某"}, "clientRequestId": "r"},
    )


async def test_optional_and_embedded_bodies(origin: str) -> None:
    """An optional model is read from the body, too; FastAPI's ``Body`` applies."""
    assert await request_json("POST", f"{origin}/maybe?note=a") == (200, {"account": None, "note": "a"})
    assert await request_json("POST", f"{origin}/maybe", {"accountName": "1"}) == (200, {"account": "1", "note": ""})
    embedded = {"request": {"clientRequestId": "r"}}
    assert await request_json("POST", f"{origin}/explicit", embedded) == (200, embedded["request"])


async def test_wrong_value(origin: str) -> None:
    """A wrong value is a 422 of FastAPI's own form, with the path of the field."""
    status, reply = await request_json("POST", f"{origin}/ask", {"corpIdentInfo": {"companyType": "1"}, "a": 1})
    assert status == 422
    assert [(error["loc"], error["type"]) for error in reply["detail"]] == [
        (["body", "corpIdentInfo", "companyType"], "int_type"),
        (["body", "a"], "extra_forbidden"),
    ]


async def test_results_without_annotation_and_in_snake_case(origin: str) -> None:
    """A model anywhere in a result is written, with wire names unless FastAPI is told otherwise."""
    assert await request_json("GET", f"{origin}/links") == (200, [{"order_no": "1", "auth_url": LINK.auth_url}])
    for path in ("bare", "any"):
        status, reply = await request_json("GET", f"{origin}/{path}")
        assert (status, reply) == (200, {"links": [{"orderNo": "1", "authUrl": LINK.auth_url}]})


async def test_openapi(origin: str) -> None:
    """The OpenAPI page knows the models by name, as a body and not as parameters of the query."""
    _, page = await request_json("GET", f"{origin}/openapi.json")
    operation = page["paths"]["/ask"]["post"]
    reference = {"$ref": "#/components/schemas/CorpIdentLinkRequest"}
    assert "parameters" not in operation
    assert operation["requestBody"]["content"]["application/json"]["schema"] == reference
    assert "companyName" in page["components"]["schemas"]["CorpIdentInfo"]["properties"]


def test_releases_that_decide_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of FastAPI without the function that is extended does not keep the module from being imported."""
    monkeypatch.delattr(shared, "_annotation_is_complex")
    fastapi_integration._read_models_from_bodies()
    assert not hasattr(shared, "_annotation_is_complex")
