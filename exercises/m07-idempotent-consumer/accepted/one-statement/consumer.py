"""Another style: one statement does it all and commits by itself; the messages are a generator."""

import json
import os
from contextlib import closing

import pika
import psycopg

ONCE = """
WITH fresh AS (
    INSERT INTO applied_events (id) VALUES (%(event_id)s) ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO points (user_id, balance)
SELECT %(user_id)s, %(amount_kopecks)s::bigint / 100 FROM fresh
ON CONFLICT (user_id) DO UPDATE SET balance = points.balance + excluded.balance
"""

with (
    psycopg.connect(os.environ["PG_DSN"], autocommit=True) as db,
    closing(pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))) as connection,
):
    channel = connection.channel()
    channel.queue_declare("loyalty.payments", durable=True)
    channel.basic_qos(prefetch_count=1)
    for method, _, body in channel.consume("loyalty.payments"):
        db.execute(ONCE, json.loads(body))
        channel.basic_ack(method.delivery_tag)
