"""Producer: puts today's books into the queue and ends."""
import os

import pika

import press

QUEUE = "tasks"

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
try:
    channel = connection.channel()
    channel.queue_declare(QUEUE)
    for number in press.books():
        channel.basic_publish(exchange="", routing_key=QUEUE, body=number)
        print("Sent:", number)
finally:
    connection.close()
