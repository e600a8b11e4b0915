"""Another style: the deliveries are a generator; what the press refuses goes back into the queue after a pause."""

import os
from contextlib import closing

import pika
import press

with closing(pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))) as connection:
    channel = connection.channel()
    channel.queue_declare("tasks", durable=True)
    channel.basic_qos(prefetch_count=1)
    for method, _, body in channel.consume("tasks"):
        try:
            press.print_book(body.decode("utf-8"))
        except OSError as error:
            print("the press:", error, flush=True)
            connection.sleep(0.2)
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            channel.basic_ack(method.delivery_tag)
