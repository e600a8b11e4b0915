"""Consumer: takes orders from the queue and processes them."""

import os

import pika
import shop

QUEUE = "tasks"


def on_message(channel, method, properties, body):
    text = body.decode()
    shop.processed(text)
    print("Processed:", text)
    channel.basic_ack(method.delivery_tag)


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE)
        channel.basic_consume(QUEUE, on_message)
        print("Waiting for orders")
        channel.start_consuming()
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    main()
