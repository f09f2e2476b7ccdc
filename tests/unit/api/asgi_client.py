"""A client that speaks to an application in the same process, without a socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from fastapi import FastAPI


class AsgiClient:
    """Sends one request at a time; what the application raises comes back as the answer it gave."""

    def __init__(self, app: FastAPI, base_url: str = "http://passports.example") -> None:
        self._app = app
        self._base_url = base_url

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - handed on as given
        """Send a request and wait for the whole answer."""
        return asyncio.run(self._request(method, address, options))

    def get(self, address: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - handed on as given
        """Send a GET request."""
        return self.request("GET", address, **options)

    def head(self, address: str) -> httpx.Response:
        """Send a HEAD request."""
        return self.request("HEAD", address)

    async def _request(self, method: str, address: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as client:
            return await client.request(method, address, **options)
