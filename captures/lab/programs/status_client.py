"""Ask the same over and over, with a pause of so many seconds or up to so many: HOST PORT PATH SECONDS UPTO."""

import http.client
import random
import sys
import time

host, port, path, *pause = sys.argv[1:]
rng, connection = random.Random(path), http.client.HTTPConnection(host, int(port))
while True:
    connection.request("GET", path)
    connection.getresponse().read()
    time.sleep(rng.uniform(*map(float, pause)))
