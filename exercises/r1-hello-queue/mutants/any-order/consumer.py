"""Wrong: each message is processed some time later, so the order is lost."""
import os
import random

import pika

import shop

QUEUE = "tasks"


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare(QUEUE)

    def on_message(channel, method, properties, body):
        def process():
            shop.processed(body.decode())
            channel.basic_ack(method.delivery_tag)

        connection.call_later(random.random(), process)

    channel.basic_consume(QUEUE, on_message)
    channel.start_consuming()


if __name__ == "__main__":
    main()
