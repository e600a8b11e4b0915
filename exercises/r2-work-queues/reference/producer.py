"""Producer: puts today's books into the queue and ends."""

import os

import pika
import press

QUEUE = "tasks"
PERSISTENT = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        for number in press.books():
            channel.basic_publish("", QUEUE, number, PERSISTENT)
            print("Sent:", number)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
