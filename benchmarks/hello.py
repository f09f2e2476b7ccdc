"""A hello-world on the very server that shows the passports: what any page costs before it says anything."""

import sys
from contextlib import suppress

from fastapi import FastAPI, Response

from cellvow.cli.listening import Listener


def create_hello() -> FastAPI:
    """An application with one address that answers two words."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/", say_hello, methods=["GET"], response_model=None)
    return app


def say_hello() -> Response:
    """Two words; in a thread of the pool, as the passports' endpoints are."""
    return Response(b"hello world", 200, media_type="text/plain")


def main() -> None:
    """Say the address and serve until interrupted."""
    listener = Listener.bind("127.0.0.1", 0)

    def ready() -> None:
        sys.stdout.write(f'{{"url": "{listener.url}"}}\n')
        sys.stdout.flush()

    with suppress(KeyboardInterrupt):
        listener.run(create_hello(), ready)


if __name__ == "__main__":
    main()
