"""Wrong: takes a batch, acknowledges all of it, and then begins to work."""

import os

import pika
import press

QUEUE = "tasks"


def print_batch(channel, batch):
    channel.basic_ack(batch[-1][0].delivery_tag, multiple=True)
    for method, body in batch:
        press.print_book(body.decode())
        print("Printed:", body.decode())


def take_batches(channel):
    batch = []
    for method, _, body in channel.consume(QUEUE, inactivity_timeout=0.2):
        if method is not None:
            batch.append((method, body))
        if batch and (method is None or len(batch) == 3):
            print_batch(channel, batch)
            batch = []


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        channel.basic_qos(prefetch_count=3)
        print("Waiting for books")
        take_batches(channel)
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    main()
