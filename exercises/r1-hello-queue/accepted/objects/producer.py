"""Another style: a class, all messages prepared before anything is sent."""

import os

import pika
import shop


class Producer:
    def __init__(self, url):
        self.parameters = pika.URLParameters(url)

    def send(self, texts):
        connection = pika.BlockingConnection(self.parameters)
        channel = connection.channel()
        channel.queue_declare(queue="tasks")
        for text in texts:
            channel.basic_publish(exchange="", routing_key="tasks", body=text)
        channel.close()
        connection.close()


Producer(os.environ["AMQP_URL"]).send([f"order number {number}" for number in shop.orders()])
