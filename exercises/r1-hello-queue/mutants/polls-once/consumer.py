"""Wrong: takes what is in the queue now, and ends."""
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
        while True:
            method, properties, body = channel.basic_get(QUEUE)
            if method is None:
                break
            on_message(channel, method, properties, body)
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    main()
