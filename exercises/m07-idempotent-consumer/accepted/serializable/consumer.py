"""Another style: look first, in a SERIALIZABLE transaction, and try again whenever the database refuses it."""

import json
import os

import pika
import psycopg
from psycopg import IsolationLevel, errors


class Loyalty:
    def __init__(self, dsn):
        self.db = psycopg.connect(dsn)
        self.db.isolation_level = IsolationLevel.SERIALIZABLE

    def handle(self, event):
        while True:
            try:
                self.once(event)
                return
            except (errors.SerializationFailure, errors.UniqueViolation):
                self.db.rollback()

    def once(self, event):
        with self.db.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM seen WHERE event_id = %s", (event["event_id"],))
            if cursor.fetchone()[0] == 0:
                cursor.execute("INSERT INTO seen VALUES (%s)", (event["event_id"],))
                cursor.execute("SELECT balance FROM points WHERE user_id = %s", (event["user_id"],))
                earned, row = event["amount_kopecks"] // 100, cursor.fetchone()
                if row is None:
                    cursor.execute("INSERT INTO points VALUES (%s, %s)", (event["user_id"], earned))
                else:
                    cursor.execute("UPDATE points SET balance = %s WHERE user_id = %s", (row[0] + earned, event["user_id"]))
        self.db.commit()


loyalty = Loyalty(os.environ["PG_DSN"])
channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
channel.queue_declare("loyalty.payments", durable=True)
channel.basic_qos(prefetch_count=5)


def on_message(channel, method, properties, body):
    loyalty.handle(json.loads(body))
    channel.basic_ack(method.delivery_tag)


channel.basic_consume("loyalty.payments", on_message)
channel.start_consuming()
