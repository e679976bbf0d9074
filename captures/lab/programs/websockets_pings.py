"""Ends of WebSockets that ping: serve HOST PORT SECONDS [CERTIFICATE KEY KEYLOG] | call URL SECONDS [CA].

No pings where SECONDS is 0.
"""

import asyncio
import ssl
import sys

import websockets

role, *words = sys.argv[1:]


async def listen(socket: "websockets.WebSocketServerProtocol") -> None:
    """Take what comes, until the connection is closed."""
    async for _message in socket:
        pass


async def serve(host: str, port: str, seconds: str, *files: str) -> None:
    """Accept connections."""
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files[:2])
        context.keylog_filename = files[2]
    async with websockets.serve(listen, host, int(port), ping_interval=float(seconds) or None, ssl=context):
        await asyncio.Future()


async def call(url: str, seconds: str, *files: str) -> None:
    """Make one."""
    context = ssl.create_default_context(cafile=files[0]) if files else None
    async with websockets.connect(url, ping_interval=float(seconds) or None, ssl=context) as socket:
        await socket.send("hello")
        await listen(socket)


asyncio.run(serve(*words) if role == "serve" else call(*words))
