"""A client of MariaDB that asks a query and then only whether the server is there: HOST PORT USER SECONDS."""

import sys
import time

import pymysql

host, port, user, seconds = sys.argv[1:]
connection = pymysql.connect(host=host, port=int(port), user=user)
with connection.cursor() as cursor:
    cursor.execute("select version()")
while True:
    time.sleep(float(seconds))
    connection.ping(reconnect=False)
