"""Handlers that are accepted, and those that are refused before any notification arrives."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import pytest

from kfq_async import CallbackUrls, NotificationReceiver
from kfq_async.callbacks.handlers import require_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Callable

URLS = CallbackUrls([b"a secret of 32 random bytes....."], page="https://a.example/p", notify="https://a.example/n")


async def handle(delivery: object) -> None:
    """Handle a notification."""


def handle_synchronously(delivery: object) -> None:
    """Handle a notification in a plain function."""


async def generate_asynchronously(delivery: object) -> Any:
    """Yield, so that calling it returns an asynchronous generator."""
    yield delivery


def generate(delivery: object) -> Any:
    """Yield, so that calling it returns a generator."""
    yield delivery


class Service:
    """Object whose methods are handlers, and which is one itself."""

    async def __call__(self, delivery: object) -> None:
        """Handle a notification."""

    async def method(self, delivery: object) -> None:
        """Handle a notification."""

    @classmethod
    async def class_method(cls, delivery: object) -> None:
        """Handle a notification."""

    @staticmethod
    async def static_method(delivery: object) -> None:
        """Handle a notification."""

    def synchronous(self, delivery: object) -> None:
        """Handle a notification in a plain method."""


class SynchronousService:
    """Object that is called as a plain function."""

    def __call__(self, delivery: object) -> None:
        """Handle a notification."""


class Decorator:
    """Decorator that is an object and returns the coroutine of the function."""

    def __init__(self, function: Callable[[object], Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, delivery: object) -> Any:
        """Call the function."""
        return self._function(delivery)


def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function in a plain one that returns its coroutine."""

    @functools.wraps(function)
    def wrapper(*arguments: object) -> Any:
        return function(*arguments)

    return wrapper


@pytest.mark.parametrize(
    "handler",
    [
        handle,
        Service(),
        Service().method,
        Service.class_method,
        Service.static_method,
        functools.partial(handle),
        functools.partial(functools.partial(Service().method)),
        functools.partial(Service()),
        decorate(handle),
        decorate(decorate(Service().method)),
        functools.partial(decorate(handle)),
        Decorator(handle),
        AsyncMock(),
        AsyncMock(spec=handle),
    ],
    ids=lambda value: type(value).__name__,
)
def test_accepted_handlers(handler: Any) -> None:
    """Whatever returns a coroutine, and says so, is accepted."""
    require_coroutine_function("handler", handler)
    NotificationReceiver(handler, urls=URLS)


@pytest.mark.parametrize(
    "handler",
    [
        handle_synchronously,
        lambda delivery: None,
        lambda delivery: handle(delivery),  # noqa: PLW0108  # a plain function that returns a coroutine
        Service,
        SynchronousService,
        SynchronousService(),
        Service().synchronous,
        generate,
        generate_asynchronously,
        functools.partial(handle_synchronously),
        decorate(handle_synchronously),
        decorate(generate_asynchronously),
        Decorator(handle_synchronously),
        Mock(),
        print,
        None,
        handle.__name__,
    ],
    ids=lambda value: type(value).__name__,
)
def test_refused_handlers(handler: Any) -> None:
    """Anything else is refused when the receiver is created, not by the first notification."""
    with pytest.raises(TypeError, match=r"^handler must be a coroutine function, and .* is not: write `async def"):
        NotificationReceiver(handler, urls=URLS)


def test_message_names_the_function() -> None:
    """The message names the argument, the function, and what to write."""
    with pytest.raises(TypeError) as caught:
        require_coroutine_function("then", handle_synchronously)
    assert str(caught.value) == (
        "then must be a coroutine function, and handle_synchronously is not: write `async def then(delivery)`, and "
        "functools.wraps in a decorator around it"
    )
