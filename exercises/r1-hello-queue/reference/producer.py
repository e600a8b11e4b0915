"""Producer: puts today's orders into the queue and ends."""

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
            channel.basic_publish(exchange="", routing_key=QUEUE, body=text)
            print("Sent:", text)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
