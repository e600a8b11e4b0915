"""Another style: a quorum queue, which is durable by nature and keeps every message on disk."""

import os

import pika
import press

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.queue_declare("tasks", durable=True, arguments={"x-queue-type": "quorum"})
channel.confirm_delivery()
for number in press.books():
    channel.basic_publish("", "tasks", number, pika.BasicProperties(delivery_mode=2))
connection.close()
