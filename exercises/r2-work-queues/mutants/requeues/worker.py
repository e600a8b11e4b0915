"""Wrong: a printed book is put back instead of acknowledged."""

import os

import pika
import press

QUEUE = "tasks"


def on_message(channel, method, properties, body):
    number = body.decode()
    print("Printing:", number)
    press.print_book(number)  # what it raises ends this process, and the message goes back into the queue
    print("Printed:", number)
    channel.basic_nack(method.delivery_tag, requeue=True)


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(QUEUE, on_message)
        print("Waiting for books")
        channel.start_consuming()
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    main()
