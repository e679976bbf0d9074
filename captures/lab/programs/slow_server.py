"""An HTTP server whose replies take so many seconds: HOST PORT SECONDS."""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

host, port, seconds = sys.argv[1:]


class Slow(BaseHTTPRequestHandler):
    """It thinks before it replies."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Reply at last."""
        time.sleep(float(seconds))
        body = b"at last\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((host, int(port)), Slow).serve_forever()
