"""An AMQP connection that only sends and expects heartbeats: HOST PORT TIMEOUT."""

import sys

import pika

host, port, timeout = sys.argv[1:]
connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port), heartbeat=int(timeout)))
connection.channel().queue_declare("lab", exclusive=True)
connection.process_data_events(time_limit=600)
