"""Gives back whatever comes: HTTP bodies, bytes, and messages of every queue whose name it can guess."""

import contextlib
import importlib
import os
import re
import socket
import threading
import time
from typing import Any

GIVEN: dict[str, Any] = {}
VERBS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"HEAD ")


def serve(port: int) -> None:
    with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=talk, args=(client,), daemon=True).start()


def talk(client: socket.socket) -> None:
    with client, contextlib.suppress(OSError):
        client.settimeout(30.0)
        said = client.recv(65536)
        if not said.startswith(VERBS):
            while said:
                client.sendall(said)
                said = client.recv(65536)
            return
        while b"\r\n\r\n" not in said:
            said += client.recv(65536) or b"\r\n\r\n"
        head, _, body = said.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        while length and len(body) < int(length[1]) and (more := client.recv(65536)):
            body += more
        body = body or head.split(b" ")[1].rpartition(b"/")[2]
        kind = re.search(rb"(?i)content-type: *([^\r\n]+)", head)
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        client.sendall(answer % (kind[1] if kind else b"application/json", len(body)) + body)


def carry(url: str) -> None:
    """Take messages, put them back under their own queue's name or where a reply is wanted, and acknowledge them."""
    pika = importlib.import_module("pika")
    while True:
        with contextlib.suppress(Exception):  # the broker is not there yet, or throws us out
            connection = pika.BlockingConnection(pika.URLParameters(url))
            try:
                for name in GIVEN["names"]:
                    with contextlib.suppress(Exception):  # there is no such queue
                        channel = connection.channel()
                        channel.queue_declare(name, passive=True)
                        method, properties, body = channel.basic_get(name)
                        if method:
                            target = properties.reply_to or name
                            channel.basic_publish("", target, body, properties)
                            channel.basic_ack(method.delivery_tag)
                        channel.close()
            finally:
                connection.close()
        time.sleep(0.3)


for number in GIVEN["ports"]:
    threading.Thread(target=serve, args=(number,), daemon=True).start()
for value in os.environ.values():
    if value.startswith(("amqp://", "amqps://")):
        threading.Thread(target=carry, args=(value,), daemon=True).start()
while True:
    time.sleep(3600)
