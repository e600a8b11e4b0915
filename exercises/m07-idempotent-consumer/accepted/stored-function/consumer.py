"""Another style: a function in the database does the work; the worker polls the queue and lives through broken links."""

import os
import time

import pika
import psycopg

QUEUE = "loyalty.payments"


def work():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        with psycopg.connect(os.environ["PG_DSN"], autocommit=True) as db:
            channel = connection.channel()
            channel.queue_declare(QUEUE, durable=True)
            while True:
                method, _, body = channel.basic_get(QUEUE)
                if method is None:
                    connection.process_data_events(time_limit=0.05)
                    continue
                db.execute("SELECT apply_payment(%s)", (body.decode(),))
                channel.basic_ack(method.delivery_tag)
    finally:
        if connection.is_open:  # the broker takes back what was not acknowledged
            connection.close()


while True:
    try:
        work()
    except (pika.exceptions.AMQPError, psycopg.OperationalError) as error:
        print("again:", repr(error), flush=True)
        time.sleep(0.2)
