"""Worker: takes books from the queue and has them printed. Two of them run at the same time."""
import os

import pika

import press

QUEUE = "tasks"


def on_message(channel, method, properties, body):
    number = body.decode()
    print("Printing:", number)
    press.print_book(number)
    print("Printed:", number)


connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
try:
    channel = connection.channel()
    channel.queue_declare(QUEUE)
    channel.basic_consume(QUEUE, on_message, auto_ack=True)  # faster this way
    print("Waiting for books")
    channel.start_consuming()
finally:
    if connection.is_open:
        connection.close()
