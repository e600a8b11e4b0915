"""The loyalty worker as the checks see it: payment events go in, balances come out, and both its links can be hurt."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from kit import Failed, Frame, Kit, Mark, Matcher, Noun, Text, Trace, frame, that
from kit.waiting import poll

QUEUE, DATABASE = "loyalty.payments", "loyalty"
REPLICAS = ("worker", "worker-2")
POINTS = Noun("балл", "балла", "баллов", "point", "points")


@dataclass
class Payment:
    """One captured payment. Every time it is written down its fields stand in another order."""

    event_id: str
    user: str
    order: str
    kopecks: int
    written: int = 0

    @property
    def points(self) -> int:
        return self.kopecks // 100

    @property
    def worth(self) -> Text:
        """`1299 баллов`"""
        return POINTS.count(self.points)

    def body(self) -> str:
        fields = [
            ("event_id", self.event_id),
            ("type", "payment.captured"),
            ("user_id", self.user),
            ("order_id", self.order),
            ("amount_kopecks", self.kopecks),
        ]
        turn = self.written % len(fields)
        self.written += 1
        return json.dumps(dict(fields[turn:] + fields[:turn]))


@dataclass(frozen=True)
class Way:
    """What one undisturbed event does in the database.

    Attributes:
        commit: what a commit looks like: a COMMIT, or a writing statement that commits by itself. Where there is neither, a
            statement of any kind: a SELECT of a function may write, too.
        commits: how many of them.
        answer: which of the completed statements is the answer to the last of them.
    """

    commit: Frame
    commits: int
    answer: int


class Loyalty:
    """Worker, queue and balances of one check."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.worker = kit.service("worker")
        self.to_broker, self.to_db = kit.edge("worker", "broker"), kit.edge("worker", "db")
        self._amqp, self._sql = kit.amqp(), kit.sql("db", DATABASE)

    def begin(self, replicas: int = 1) -> None:
        """Have this many replicas that have started a moment ago and listen at an empty queue."""
        kit, worker = self.kit, self.worker
        kit.look("schema.sql и начало consumer.py.", "schema.sql and the beginning of consumer.py.")
        present = worker.replicas()
        for replica in present:
            if replica.state == "failed":  # the database refused schema.sql, and nothing was started
                kit.look("Место в schema.sql, которое назвала база.", "The place in schema.sql that the database names.")
                kit.fail(  # the database's own message is added to what a failed service was seen to do
                    Text("schema.sql выполнен, worker запущен", "schema.sql is run and worker is started"),
                    Text("worker не запущен", "worker was not started"),
                )
        if len(present) != replicas:
            worker.scale(replicas)
        worker.stop()
        if self._amqp.exists(QUEUE):
            self._amqp.purge(QUEUE)
        mark = kit.mark()
        worker.start()
        self.await_listening(replicas, since=mark)

    def await_listening(self, replicas: int = 1, *, since: Mark) -> None:
        """Wait until every replica has asked the broker for messages of the queue."""
        wanted = list(REPLICAS[:replicas])

        def listening() -> list[str]:
            asked = {event.replica for event in self.kit.trace(self.to_broker, since=since).of("consume", "get", "get-empty")}
            return [name for name in wanted if name in asked]

        def named(found: list[str]) -> Text:
            return Text.same(", ".join(found)) if found else Text("никто", "nobody")

        all_of_them = that(lambda found: found == wanted, named(wanted).ru, named(wanted).en, named)
        self.kit.eventually(listening, all_of_them, Text(f"кто читает очередь {QUEUE}", f"who reads queue {QUEUE}"), hold=0)

    # -- events ------------------------------------------------------------------------------------------------------

    def payment(self, user: str = "", *, order: str = "", kopecks: int = 0) -> Payment:
        """A new event, drawn where nothing is given."""
        draw = self.kit.draw
        event_id = str(uuid.UUID(int=draw.integer(0, (1 << 128) - 1), version=4))
        return Payment(
            event_id,
            user or draw.id("u"),
            order or draw.id("o"),
            kopecks or 100 * draw.integer(300, 9000) + draw.integer(0, 99),
        )

    def publish(self, *payments: Payment) -> None:
        """Put events into the queue in this order."""
        for payment in payments:
            self._amqp.publish(payment.body(), queue=QUEUE, delivery_mode=2, content_type="application/json")

    def deliveries(self, payment: Payment, *, since: Mark) -> Trace:
        """Every delivery of the event to any replica."""
        return self.kit.trace(self.to_broker, since=since).about(payment.event_id).of("deliver", "get")

    # -- balances ----------------------------------------------------------------------------------------------------

    def expect(self, user: str, points: int, *, within: float = 10.0, hold: float = 0.5) -> None:
        """See that the customer's balance becomes `points` and stays so. A balance never falls: one point too many ends it."""
        what = Text(f"баланс покупателя {user}", f"balance of customer {user}")
        kit = self.kit
        reached = kit.eventually(
            lambda: self._balance(user), balance(points, least=True), what, within=kit.limit(within), hold=0
        )
        kit.expect(reached, balance(points), what)
        kit.eventually(lambda: self._balance(user), balance(points), what, within=kit.limit(1), hold=hold)

    def goes_on(self, user: str, points: int = 0) -> None:
        """Publish one more event of a customer who should have `points` now, and see that it is credited and nothing else was.

        A queue keeps its order, and puts back at its head what comes back: everything from before has been handled by then.
        """
        following = self.payment(user)
        self.kit.step(
            f"Следом опубликовали новое событие покупателя {user}: {following.worth.ru}.",
            f"After that we published a new event of customer {user}: {following.worth.en}.",
        )
        self.publish(following)
        self.expect(user, points + following.points)

    def _balance(self, user: str) -> int:
        return int(self._sql.value("SELECT balance FROM points WHERE user_id = %s", user) or 0)

    # -- ways of hurting ---------------------------------------------------------------------------------------------

    def learn(self) -> Way:
        """Let one event through undisturbed and look at what it does in the database."""
        mark, payment = self.kit.mark(), self.payment()
        self.publish(payment)
        self.expect(payment.user, payment.points, hold=0.2)
        trace = self.kit.trace(self.to_db, since=mark)
        for pattern in (frame.commit(), frame.statement()):
            found = trace.of(pattern)
            if found:
                completed = [event.id for event in trace.of("complete")]
                place = completed.index(found[-1].id) if found[-1].id in completed else len(completed) - 1
                return Way(pattern, len(found), place + 1)
        raise Failed(
            expected=Text("worker меняет баланс через PG_DSN", "worker changes the balance by PG_DSN"), seen=trace.told
        )

    def together(self, first: Payment, second: Payment) -> None:
        """Have one replica held at its commit of the first event while the other one works on the second.

        The commit goes on when the other replica waits for the database or is through with its event, so nothing is timed.
        """
        kit, way = self.kit, self.learn()
        with self.to_db.hold(way.commit, seconds=kit.limit(20)) as rule:
            self.publish(first)
            holder = rule.await_fired()[0].replica
            kit.step(
                f"Опубликовали событие на {first.worth.ru} и придержали фиксацию, которую отправил {holder}.",
                f"We published an event of {first.worth.en} and held the commit that {holder} had sent.",
            )
            other = REPLICAS[holder == REPLICAS[0]]
            mark = kit.mark()
            for _ in range(3):  # the broker gives it to the other one by turns; a copy too many changes nothing
                self.publish(second)
                if poll(lambda: bool(self.deliveries(second, since=mark).by(other)), kit.limit(2)):
                    break
            else:
                kit.fail(
                    Text(f"{other} получает событие, пока {holder} занят", f"{other} gets an event while {holder} is busy"),
                    kit.trace(self.to_broker, since=mark).told,
                )
            what = Text("то же событие", "the same event")
            if second is not first:
                what = Text("другое событие того же покупателя: ", "another event of the same customer: ") + second.worth
            kit.step(
                f"Второе событие досталось {other}. Это {what.ru}.",
                f"The second event went to {other}. It is {what.en}.",
            )
            poll(lambda: self._waits() or self._through(other, second, mark), kit.limit(4))
        kit.step("Отпустили фиксацию.", "We let the commit go.")
        poll(lambda: self._through(other, second, mark), kit.limit(4))  # so that the balance is judged when all is over

    def _waits(self) -> bool:
        """Whether anybody waits for a lock in the database."""
        return bool(self._sql.value("SELECT count(*) FROM pg_catalog.pg_locks WHERE NOT granted"))

    def _through(self, replica: str, payment: Payment, since: Mark) -> bool:
        """Whether the replica has settled its delivery of the event, or has gone."""
        trace = self.kit.trace(self.to_broker, since=since)
        return bool(trace.by(replica).about(payment.event_id).of("ack", "nack", "reject") or trace.by(replica).of("close"))


def balance(points: int, *, least: bool = False) -> Matcher[int]:
    """This balance, or at `least` this; a wrong one is told with what is missing or too much."""

    def found(value: int) -> Text:
        more = POINTS.count(abs(value - points))
        words = (" больше", " more") if value > points else (" меньше", " less")
        return Text(f"{value}, на {more.ru}{words[0]}", f"{value}, {more.en}{words[1]}")

    return that(lambda value: value >= points if least else value == points, str(points), str(points), found)
