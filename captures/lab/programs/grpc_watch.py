"""gRPC without its code generator: a stream that brings one message, and PINGs while it is open.

`serve HOST PORT EVERY` or `call HOST PORT EVERY`; every so many milliseconds, and 0 where this end sends none.
"""

import sys
import time
from collections.abc import Iterator
from concurrent import futures

import grpc

SERVICE, METHOD = "lab.News", "Watch"
role, address, every = sys.argv[1], ":".join(sys.argv[2:4]), int(sys.argv[4])
# What Go has as ClientParameters{Time}, and as ServerParameters{Time} and EnforcementPolicy{MinTime}.
OPTIONS = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.min_ping_interval_without_data_ms", 1000)]
OPTIONS += [("grpc.keepalive_time_ms", every)] if every else []


def watch(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """One message, and no end."""
    yield request
    time.sleep(600)


if role == "serve":
    handler = grpc.method_handlers_generic_handler(SERVICE, {METHOD: grpc.unary_stream_rpc_method_handler(watch)})
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[handler], options=OPTIONS)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()
else:
    for _ in grpc.insecure_channel(address, OPTIONS).unary_stream(f"/{SERVICE}/{METHOD}")(b"hello"):
        pass
