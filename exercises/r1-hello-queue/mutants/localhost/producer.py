"""Wrong: the broker is looked for on the own machine."""
import pika

import shop

QUEUE = "tasks"
WORDS = "Process order"


def main():
    connection = pika.BlockingConnection(pika.ConnectionParameters("localhost"))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE)
        for number in shop.orders():
            text = f"{WORDS} {number}"
            channel.basic_publish(exchange="", routing_key=QUEUE, body=text)
            print("Sent:", text)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
