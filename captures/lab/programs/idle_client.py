"""Connect, ask once, read a reply, stay silent, close: HOST PORT SECONDS [TIME INTVL PROBES]."""

import socket
import sys
import time

host, port, seconds, *settings = sys.argv[1:]
with socket.create_connection((host, int(port))) as sock:
    if settings:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        for option, value in zip(options, settings, strict=True):
            sock.setsockopt(socket.IPPROTO_TCP, option, int(value))
    sock.sendall(b"GET / HTTP/1.1\r\nHost: server\r\n\r\n")
    sock.recv(65536)
    time.sleep(float(seconds))
