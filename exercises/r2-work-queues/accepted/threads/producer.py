"""Another style: a class, all messages prepared before anything is sent."""

import os

import pika
import press


class Producer:
    def __init__(self, url):
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.queue_declare(queue="tasks", durable=True)

    def send(self, numbers):
        properties = pika.BasicProperties(delivery_mode=2)
        for number in numbers:
            self.channel.basic_publish(exchange="", routing_key="tasks", body=number, properties=properties)
        self.connection.close()


numbers = press.books()
Producer(os.environ["AMQP_URL"]).send(numbers)
