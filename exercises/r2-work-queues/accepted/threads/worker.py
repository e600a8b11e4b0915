"""Another style: two threads print, the connection's own thread acknowledges, two books at most are in hand."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pika
import press


class Worker:
    def __init__(self, url, hands=2):
        self.pool = ThreadPoolExecutor(hands)
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.queue_declare(queue="tasks", durable=True)
        self.channel.basic_qos(prefetch_count=hands)
        self.channel.basic_consume(queue="tasks", on_message_callback=self.take)

    def take(self, channel, method, properties, body):
        self.pool.submit(self.work, method.delivery_tag, body.decode())

    def work(self, tag, number):
        try:
            press.print_book(number)
            answer = partial(self.channel.basic_ack, tag)
        except Exception as error:
            print(number, "has failed:", error, flush=True)
            answer = partial(self.channel.basic_nack, tag, requeue=True)
        self.connection.add_callback_threadsafe(answer)

    def run(self):
        self.channel.start_consuming()


Worker(os.environ["AMQP_URL"]).run()
