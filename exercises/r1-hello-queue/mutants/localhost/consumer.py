"""Wrong: the broker is looked for on the own machine."""
import pika

import shop

QUEUE = "tasks"


def on_message(channel, method, properties, body):
    text = body.decode()
    shop.processed(text)
    print("Processed:", text)
    channel.basic_ack(method.delivery_tag)


def main():
    connection = pika.BlockingConnection(pika.ConnectionParameters("localhost"))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE)
        channel.basic_consume(QUEUE, on_message)
        print("Waiting for orders")
        channel.start_consuming()
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    main()
