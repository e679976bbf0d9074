"""gRPC without its code generator: `serve HOST PORT`, or `call HOST PORT SECONDS`: one call, then PINGs."""

import sys
import time
from concurrent import futures

import grpc

SERVICE, METHOD = "lab.Echo", "Say"
# What a Go client's keepalive.ClientParameters{Time, PermitWithoutStream} are.
OPTIONS = [
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


ECHO = grpc.unary_unary_rpc_method_handler(lambda request, context: request)

role, address = sys.argv[1], ":".join(sys.argv[2:4])
if role == "serve":
    server = grpc.server(
        futures.ThreadPoolExecutor(1), handlers=[grpc.method_handlers_generic_handler(SERVICE, {METHOD: ECHO})]
    )
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()
else:
    channel = grpc.insecure_channel(address, OPTIONS)
    channel.unary_unary(f"/{SERVICE}/{METHOD}")(b"hello")
    time.sleep(float(sys.argv[4]))
