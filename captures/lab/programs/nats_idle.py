"""A NATS subscriber that nobody sends anything to, and that answers PING: HOST PORT."""

import socket
import sys

host, port = sys.argv[1:]
with socket.create_connection((host, int(port))) as sock, sock.makefile("rb") as lines:
    lines.readline()
    sock.sendall(b'CONNECT {"verbose":false,"pedantic":false,"lang":"python3","version":"0.1"}\r\nSUB lab 1\r\n')
    for line in lines:
        if line == b"PING\r\n":
            sock.sendall(b"PONG\r\n")
