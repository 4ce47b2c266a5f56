"""Company identification with Sanic: ``python -m kfq_async.examples.sanic_app``, then open the URL it prints."""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request, Sanic, html
from sanic.worker.loader import AppLoader

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
from kfq_async.integrations.sanic import (
    http_error,
    kfq_session,
    mask_callback_urls,
    notification_blueprint,
    read_body,
    setup_kfq,
)

App = Sanic[Any, Any]
AnyRequest = Request[Any, Any]


def make_app(name: str = "companies") -> App:
    """Return the application; called in each worker."""
    mask_callback_urls()
    service = CompanyService(ServiceSettings.from_env())
    app: App = Sanic(name)
    setup_kfq(app, receivers=[service.receiver], close_within=CLOSE_WITHIN)
    app.blueprint(notification_blueprint(service.receiver, NOTIFY_PATH))

    @app.after_server_stop
    async def close_service(_: App) -> None:
        await service.aclose()

    @app.get("/")
    async def show_form(_: AnyRequest) -> HTTPResponse:
        return to_response(form_page())

    @app.post("/", stream=True)
    async def submit_form(request: AnyRequest) -> HTTPResponse:
        form = parse_form(await read_body(request, MAX_FORM_SIZE))
        if form is None:
            return to_response(message_page("信息填写有误", "请填写企业名称和经办人账号，每项不超过 100 个字符。", 422))
        url = await service.request_link(kfq_session(request), form)
        if url is None:
            return to_response(message_page("表单已失效", "该表单已用于其他企业，请返回后重新填写。", 409))
        return to_response(redirect(url))

    @app.get("/done/<segment>")
    async def show_status(request: AnyRequest, segment: str) -> HTTPResponse:  # noqa: ARG001  # required by the route
        return to_response(status_page(await service.company_at(request.path)))

    @app.exception(kfq.KfqError)
    async def handle_error(_: AnyRequest, error: kfq.KfqError) -> HTTPResponse:
        response = http_error(error)  # also logs it
        return to_response(message_page("暂时无法处理", "请稍后重试，重复提交不会产生重复订单。", response.status))

    return app


def to_response(page: Page) -> HTTPResponse:
    """Return the Sanic response for a page."""
    return html(page.html, page.status, dict(page.headers))


def main() -> None:
    """Run the server until it is interrupted."""
    arguments = parse_arguments("Sanic")
    with platform_environment(arguments):
        if arguments.workers == 1:
            make_app().run(port=arguments.port, single_process=True, access_log=True, motd=False)
        else:
            loader = AppLoader(factory=make_app)
            app = loader.load()
            app.prepare(port=arguments.port, workers=arguments.workers, access_log=True, motd=False)
            Sanic.serve(primary=app, app_loader=loader)


if __name__ == "__main__":
    main()
