"""Producer: puts today's orders into the queue and ends."""
import os

import pika

import shop

QUEUE = "tasks"
WORDS = "Process order"  # change these words: you will meet them in the consumer's log

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.queue_declare(QUEUE)

# So far there is one message, without a number. Send one for every number of shop.orders():
# the words, a space, the number.
channel.basic_publish(exchange="", routing_key=QUEUE, body=WORDS)
print("Sent:", WORDS)
