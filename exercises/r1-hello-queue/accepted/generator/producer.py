"""Another style: a context manager closes the connection, the broker confirms each message."""

import os
from contextlib import closing

import pika
import shop

with closing(pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("tasks", durable=True)
    for number in shop.orders():
        channel.basic_publish("", "tasks", f"Собрать заказ {number}".encode(), pika.BasicProperties(delivery_mode=2))
