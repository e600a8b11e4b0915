"""Another style: a context manager closes the connection, the broker confirms each message."""

import os
from contextlib import closing

import pika
import press

KEEP = pika.BasicProperties(delivery_mode=2, content_type="text/plain")

with closing(pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("tasks", durable=True)
    for number in press.books():
        channel.basic_publish("", "tasks", number.encode(), KEEP, mandatory=True)
