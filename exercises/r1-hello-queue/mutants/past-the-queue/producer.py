"""Wrong: the producer tells the shop itself, and the queue stays empty."""
import os

import pika

import shop

QUEUE = "tasks"
WORDS = "Process order"


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE)
        for number in shop.orders():
            text = f"{WORDS} {number}"
            shop.processed(text)
            print("Sent:", text)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
