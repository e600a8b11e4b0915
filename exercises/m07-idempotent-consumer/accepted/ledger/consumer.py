"""Another style: an advisory lock for each event, a look, then a row in a ledger; work in a thread of its own."""

import functools
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pika
import psycopg

QUEUE = "loyalty.payments"
db = psycopg.connect(os.environ["PG_DSN"])


def record(event):
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (event["event_id"],))
        known = db.execute("SELECT FROM ledger WHERE event_id = %s", (event["event_id"],)).fetchone()
        if known is None:
            values = (event["event_id"], event["user_id"], event["amount_kopecks"] // 100)
            db.execute("INSERT INTO ledger VALUES (%s, %s, %s)", values)


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True)
    channel.basic_qos(prefetch_count=20)
    pool = ThreadPoolExecutor(max_workers=1)

    def finish(tag, work):
        work.result()  # an error ends the process: the message stays with the broker
        channel.basic_ack(tag)

    def on_message(channel, method, properties, body):
        work = pool.submit(record, json.loads(body))
        tell = functools.partial(finish, method.delivery_tag)
        work.add_done_callback(lambda done: connection.add_callback_threadsafe(functools.partial(tell, done)))

    channel.basic_consume(QUEUE, on_message)
    channel.start_consuming()


main()
