"""Another style: the worker asks for one book at a time, and waits a moment when there is none."""

import os

import pika
import press

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.queue_declare("tasks", durable=True, arguments={"x-queue-type": "quorum"})
while True:
    method, _, body = channel.basic_get("tasks")
    if method is None:
        connection.process_data_events(time_limit=0.1)
        continue
    press.print_book(body.decode())
    channel.basic_ack(method.delivery_tag)
