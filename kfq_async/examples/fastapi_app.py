"""Company identification with FastAPI: ``python -m kfq_async.examples.fastapi_app``, then open the URL it prints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

import kfq_async as kfq
from kfq_async.examples.companies import (
    CLOSE_WITHIN,
    MAX_FORM_SIZE,
    NOTIFY_PATH,
    CompanyService,
    ServiceSettings,
    parse_arguments,
    parse_form,
    platform_environment,
)
from kfq_async.examples.pages import Page, form_page, message_page, redirect, status_page
from kfq_async.integrations.fastapi import (
    KfqSession,
    http_error,
    kfq_lifespan,
    mask_callback_urls,
    notification_router,
    raw_path,
    read_body,
)


def make_app() -> FastAPI:
    """Return the application; called in each worker."""
    mask_callback_urls()
    service = CompanyService(ServiceSettings.from_env())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app_lifespan = kfq_lifespan(receivers=[service.receiver], close_within=CLOSE_WITHIN, lifespan=lifespan)
    app = FastAPI(lifespan=app_lifespan, openapi_url=None)
    app.include_router(notification_router(service.receiver, NOTIFY_PATH))

    @app.get("/")
    async def show_form() -> HTMLResponse:
        return to_response(form_page())

    @app.post("/")
    async def submit_form(request: Request, session: KfqSession) -> HTMLResponse:
        form = parse_form(await read_body(request, MAX_FORM_SIZE))
        if form is None:
            return to_response(message_page("信息填写有误", "请填写企业名称和经办人账号，每项不超过 100 个字符。", 422))
        url = await service.request_link(session, form)
        if url is None:
            return to_response(message_page("表单已失效", "该表单已用于其他企业，请返回后重新填写。", 409))
        return to_response(redirect(url))

    @app.get("/done/{segment}")
    async def show_status(request: Request, segment: str) -> HTMLResponse:  # noqa: ARG001  # required by the route
        return to_response(status_page(await service.company_at(raw_path(request))))

    @app.exception_handler(kfq.KfqError)
    async def handle_error(_: Request, error: kfq.KfqError) -> HTMLResponse:
        response = http_error(error)  # also logs it
        return to_response(message_page("暂时无法处理", "请稍后重试，重复提交不会产生重复订单。", response.status))

    return app


def to_response(page: Page) -> HTMLResponse:
    """Return the FastAPI response for a page."""
    return HTMLResponse(page.html, page.status, dict(page.headers))


def main() -> None:
    """Run the server until it is interrupted."""
    arguments = parse_arguments("FastAPI")
    with platform_environment(arguments):
        uvicorn.run(
            "kfq_async.examples.fastapi_app:make_app",
            factory=True,
            port=arguments.port,
            workers=arguments.workers,
            timeout_graceful_shutdown=10,
        )


if __name__ == "__main__":
    main()
