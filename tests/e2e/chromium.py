"""A real browser on pages behind a real server: opened pages report what they loaded and complained of."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Literal

import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # ships no type information
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from tests.conftest import find_chromium

if TYPE_CHECKING:
    from fastapi import FastAPI

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PHONE, DESKTOP = 390, 1280
HEIGHT = 844
EXPECTED = ("404 (Not Found)", "400 (Bad Request)")
"""The browser's own notice of a page's status is no complaint about the page."""
FOCUSABLE = "a,summary,button,input,select,textarea,[tabindex='0']"

Scheme = Literal["light", "dark"]


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application behind a real server on loopback; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def launched() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(os.environ), args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser,
    address: str,
    *,
    width: int = DESKTOP,
    scheme: Scheme = "light",
    scripts: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page in a context of its own, with the addresses it requested and what it complained of or tried to run."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme=scheme,
        java_script_enabled=scripts,
        extra_http_headers=dict(headers or {}),
    )
    page = context.new_page()
    requested: list[str] = []
    trouble: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if not any(notice in message.text for notice in EXPECTED):
            trouble.append(message.text)

    def dismiss(dialog: Dialog) -> None:
        trouble.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda request: requested.append(request.url))
    page.on("console", complain)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", dismiss)
    page.goto(address)
    yield page, requested, trouble
    context.close()


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What the accessibility rules find on a page as it is now."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


def sideways(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(wide)


def visit_by_keyboard(page: Page) -> list[tuple[int, str, float]]:
    """(place in the page, outline, its thickness) of everything that Tab reaches, until all that is visible was."""
    wanted = page.evaluate(f'[...document.querySelectorAll("{FOCUSABLE}")].filter(e => e.checkVisibility()).length')
    visited = []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        visited.append(
            page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                f'return [[...document.querySelectorAll("{FOCUSABLE}")].indexOf(e), s.outlineStyle,'
                "parseFloat(s.outlineWidth)] })()"
            )
        )
    return [(place, style, thickness) for place, style, thickness in visited]
