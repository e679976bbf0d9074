"""Send back each piece of what comes: HOST PORT."""

import socket
import sys

host, port = sys.argv[1:]
with socket.create_server((host, int(port))) as listener:
    sock, _ = listener.accept()
    with sock:
        while piece := sock.recv(4096):
            sock.sendall(piece)
