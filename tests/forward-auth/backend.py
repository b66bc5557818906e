"""A backend in another language: it believes what the proxy says about who asks."""

import json
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server


def application(environ, start_response):
    identity = {name: environ.get(f"HTTP_X_AUTH_{name}", "") for name in ("USER_ID", "SESSION_ID", "ORG_ID")}
    answer = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], **identity}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    make_server(host, int(port), application, handler_class=Quiet).serve_forever()
