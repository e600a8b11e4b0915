"""Another style: the consumer asks for one message at a time, and waits a moment when there is none."""

import os

import pika
import shop


class Consumer:
    def __init__(self, url):
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.queue_declare(queue="tasks")

    def run(self):
        while True:
            method, _, body = self.channel.basic_get("tasks")
            if method is None:
                self.connection.process_data_events(time_limit=0.2)
                continue
            shop.processed(body.decode())
            self.channel.basic_ack(method.delivery_tag)


Consumer(os.environ["AMQP_URL"]).run()
