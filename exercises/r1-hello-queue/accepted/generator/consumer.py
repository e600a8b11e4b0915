"""Another style: the messages are a generator, at most one is under way."""

import os
from contextlib import closing

import pika
import shop

with closing(pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))) as connection:
    channel = connection.channel()
    channel.queue_declare("tasks", durable=True)
    channel.basic_qos(prefetch_count=1)
    for method, _, body in channel.consume("tasks"):
        shop.processed(body.decode("utf-8"))
        channel.basic_ack(method.delivery_tag)
        print("done", body.decode("utf-8"), flush=True)
