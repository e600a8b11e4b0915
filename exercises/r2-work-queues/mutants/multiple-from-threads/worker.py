"""Wrong: threads finish in any order, but an ack with `multiple` settles the books of the others too."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pika
import press

QUEUE = "tasks"


class Acknowledged:
    """Numbers of deliveries only grow, so one ack settles everything up to it."""

    last = 0

    def up_to(self, channel, tag):
        if tag > self.last:
            self.last = tag
            channel.basic_ack(tag, multiple=True)


def print_book(connection, channel, acknowledged, tag, number):
    press.print_book(number)
    print("Printed:", number)
    connection.add_callback_threadsafe(partial(acknowledged.up_to, channel, tag))


def main():
    acknowledged = Acknowledged()
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    pool = ThreadPoolExecutor(2)
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True)
    channel.basic_qos(prefetch_count=2)

    def on_message(channel, method, properties, body):
        job = pool.submit(print_book, connection, channel, acknowledged, method.delivery_tag, body.decode())
        job.add_done_callback(partial(end_with, connection))

    channel.basic_consume(QUEUE, on_message)
    channel.start_consuming()


def end_with(connection, job):
    if job.exception() is not None:
        print("Failed:", job.exception())
        os._exit(1)


if __name__ == "__main__":
    main()
