"""An MQTT subscriber that nobody sends anything to: HOST PORT KEEPALIVE [CA KEYLOG]."""

import ssl
import sys

from paho.mqtt.client import Client

host, port, keepalive, *files = sys.argv[1:]
client = Client()
if files:
    context = ssl.create_default_context(cafile=files[0])
    context.keylog_filename = files[1]
    client.tls_set_context(context)
client.on_connect = lambda *_: client.subscribe("lab")
client.connect(host, int(port), int(keepalive))
client.loop_forever()
