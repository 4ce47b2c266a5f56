"""Identify companies, with FastAPI: ``python -m kfq_async.examples.fastapi_app``, then open the address it prints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

import kfq_async as kfq
from kfq_async.examples.companies import FORM_BYTES, HOOKS, Companies, Settings, options, platform, read_form
from kfq_async.examples.pages import Page, form_page, message_page, state_page, to
from kfq_async.integrations.fastapi import (
    KfqSession,
    http_error,
    kfq_lifespan,
    notification_router,
    raw_path,
    read_body,
)


def make_app() -> FastAPI:
    """Make the application; each worker calls this."""
    companies = Companies(Settings.from_env())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with companies:
            yield

    living = kfq_lifespan(receivers=[companies.receiver], lifespan=lifespan)
    app = FastAPI(lifespan=living, openapi_url=None)
    app.include_router(notification_router(companies.receiver, HOOKS))

    @app.get("/")
    async def form() -> HTMLResponse:
        return answer(form_page())

    @app.post("/")
    async def submit(request: Request, session: KfqSession) -> HTMLResponse:
        form = read_form(await read_body(request, FORM_BYTES))
        if form is None:
            return answer(message_page("信息不完整", "请填写企业名称和经办人账号。", 422))
        url = await companies.link(session, form)
        return answer(message_page("表单已用过", "请重新打开表单再填写。", 409) if url is None else to(url))

    @app.get("/done/{segment}")
    async def state(request: Request, segment: str) -> HTMLResponse:  # noqa: ARG001  # it is in the path
        return answer(state_page(await companies.company(raw_path(request))))

    @app.exception_handler(kfq.KfqError)
    async def failed(_: Request, error: kfq.KfqError) -> HTMLResponse:
        found = http_error(error)  # which also logs it
        return answer(message_page("暂时无法办理", "请稍后再试；再次提交不会重复下单。", found.status))

    return app


def answer(page: Page) -> HTMLResponse:
    """Write a page as FastAPI does."""
    return HTMLResponse(page.html, page.status, dict(page.headers))


if __name__ == "__main__":
    found = options("FastAPI")
    with platform(found):
        uvicorn.run(
            "kfq_async.examples.fastapi_app:make_app",
            factory=True,
            port=found.port,
            workers=found.workers,
            access_log=False,
        )
