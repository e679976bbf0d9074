"""A subscriber that nobody publishes anything to, and that checks its connection: HOST PORT SECONDS."""

import socket
import sys
import time

host, port, seconds = sys.argv[1:]
with socket.create_connection((host, int(port))) as sock:
    sock.sendall(b"*2\r\n$9\r\nSUBSCRIBE\r\n$3\r\nlab\r\n")
    sock.recv(4096)
    while True:
        time.sleep(float(seconds))
        sock.sendall(b"*1\r\n$4\r\nPING\r\n")
        sock.recv(4096)
