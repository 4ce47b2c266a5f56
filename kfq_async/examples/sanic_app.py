"""Identify companies, with Sanic: ``python -m kfq_async.examples.sanic_app``, then open the address it prints."""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request, Sanic, html
from sanic.worker.loader import AppLoader

import kfq_async as kfq
from kfq_async.examples.companies import FORM_BYTES, HOOKS, Companies, Settings, options, platform, read_form
from kfq_async.examples.pages import Page, form_page, message_page, state_page, to
from kfq_async.integrations.sanic import http_error, kfq_session, notification_blueprint, read_body, setup_kfq

App = Sanic[Any, Any]
AnyRequest = Request[Any, Any]


def make_app(name: str = "companies") -> App:
    """Make the application; each worker calls this."""
    companies = Companies(Settings.from_env())
    app: App = Sanic(name)
    setup_kfq(app, receivers=[companies.receiver])
    app.blueprint(notification_blueprint(companies.receiver, HOOKS))

    @app.after_server_stop
    async def close(_: App) -> None:
        await companies.aclose()

    @app.get("/")
    async def form(_: AnyRequest) -> HTTPResponse:
        return answer(form_page())

    @app.post("/", stream=True)
    async def submit(request: AnyRequest) -> HTTPResponse:
        form = read_form(await read_body(request, FORM_BYTES))
        if form is None:
            return answer(message_page("信息不完整", "请填写企业名称和经办人账号。", 422))
        url = await companies.link(kfq_session(request), form)
        return answer(message_page("表单已用过", "请重新打开表单再填写。", 409) if url is None else to(url))

    @app.get("/done/<segment>")
    async def state(request: AnyRequest, segment: str) -> HTTPResponse:  # noqa: ARG001  # it is in the path
        return answer(state_page(await companies.company(request.path)))

    @app.exception(kfq.KfqError)
    async def failed(_: AnyRequest, error: kfq.KfqError) -> HTTPResponse:
        found = http_error(error)  # which also logs it
        return answer(message_page("暂时无法办理", "请稍后再试；再次提交不会重复下单。", found.status))

    return app


def answer(page: Page) -> HTTPResponse:
    """Write a page as Sanic does."""
    return html(page.html, page.status, dict(page.headers))


def main() -> None:
    """Serve until Ctrl-C."""
    found = options("Sanic")
    with platform(found):
        if found.workers == 1:
            make_app().run(port=found.port, single_process=True, access_log=False, motd=False)
        else:
            loader = AppLoader(factory=make_app)
            app = loader.load()
            app.prepare(port=found.port, workers=found.workers, access_log=False, motd=False)
            Sanic.serve(primary=app, app_loader=loader)


if __name__ == "__main__":
    main()
