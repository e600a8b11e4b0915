"""Loyalty worker: one point for every whole rouble of a captured payment.

It works as long as every event comes once. No broker promises that.
"""

import json
import os

import pika
import psycopg

QUEUE = "loyalty.payments"


def apply_event(db, event):
    """Add the points of one event to the customer's balance."""
    points = event["amount_kopecks"] // 100
    db.execute(
        "INSERT INTO points (user_id, balance) VALUES (%s, %s) "
        "ON CONFLICT (user_id) DO UPDATE SET balance = points.balance + excluded.balance",
        (event["user_id"], points),
    )
    db.commit()


def main():
    db = psycopg.connect(os.environ["PG_DSN"])
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True)
    channel.basic_qos(prefetch_count=10)

    def on_message(channel, method, properties, body):
        event = json.loads(body)
        apply_event(db, event)
        channel.basic_ack(method.delivery_tag)
        print("Applied", event["event_id"])

    channel.basic_consume(QUEUE, on_message)
    print("Waiting for payments")
    channel.start_consuming()


if __name__ == "__main__":
    main()
