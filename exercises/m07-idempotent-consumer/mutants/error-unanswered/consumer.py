"""Wrong: after an error the worker lives on, and the broker hears neither yes nor no about the event."""

import json
import os

import pika
import psycopg

QUEUE = "loyalty.payments"


def apply_event(db, event):
    """Add the points of one event, unless it was applied before. Returns whether it was new."""
    with db.transaction():
        # A replica with the same event waits in this INSERT until the first one has committed or given up.
        mark = db.execute("INSERT INTO inbox (event_id) VALUES (%s) ON CONFLICT DO NOTHING", (event["event_id"],))
        if mark.rowcount == 0:
            return False
        db.execute(
            "INSERT INTO points (user_id, balance) VALUES (%s, %s) "
            "ON CONFLICT (user_id) DO UPDATE SET balance = points.balance + excluded.balance",
            (event["user_id"], event["amount_kopecks"] // 100),
        )
        return True


def main():
    # autocommit: a transaction is exactly a `with db.transaction()` block, and there is one for each event.
    db = psycopg.connect(os.environ["PG_DSN"], autocommit=True)
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True)
    channel.basic_qos(prefetch_count=10)

    def on_message(channel, method, properties, body):
        nonlocal db
        event = json.loads(body)
        try:
            fresh = apply_event(db, event)
        except psycopg.Error as error:
            print("Not applied, it will come again:", error)
            db.close()
            db = psycopg.connect(os.environ["PG_DSN"], autocommit=True)
            return
        channel.basic_ack(method.delivery_tag)  # a duplicate is done with, too
        print("Applied" if fresh else "Skipped", event["event_id"])

    channel.basic_consume(QUEUE, on_message)
    print("Waiting for payments")
    channel.start_consuming()


if __name__ == "__main__":
    main()
