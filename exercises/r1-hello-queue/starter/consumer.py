"""Consumer: takes orders from the queue and processes them."""
import os

import pika

import shop

QUEUE = "tasks"

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()


def on_message(channel, method, properties, body):
    text = body.decode()
    print("Received:", text)
    # Processing an order means telling the shop about it: shop.processed(text)
    channel.stop_consuming()


channel.basic_consume(QUEUE, on_message)
print("Waiting for orders")
channel.start_consuming()
