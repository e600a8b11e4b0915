"""Behaviour checks of r1-hello-queue: effects in the broker and at the order desk, never the learner's source."""

from kit import Failed, Kit, Text, at_least, check, equal, has_all, that

QUEUE = "tasks"
PATIENCE = 5  # seconds; what is right takes less than one on a quiet machine
HEARTBEAT = 37  # stands in AMQP_URL; nobody would write it by chance


class Desk:
    """The given service `shop`, seen from the prober's side of the counter."""

    def __init__(self, kit: Kit) -> None:
        self.http = kit.control("shop", 8080)

    def open_day(self, numbers: list[str]) -> None:
        self.http.post("/control/day", json_body={"orders": numbers})

    def texts(self) -> list[str]:
        return self.http.get("/control/processed").json()["processed"]

    def numbers(self) -> list[str]:
        return [number(text) for text in self.texts()]


def number(text: str) -> str:
    """The order's number: the last word of a message."""
    return (text.split() or [""])[-1]


def start_anew(kit: Kit, orders: int) -> tuple[Desk, list[str]]:
    """Both services stopped, no queue, a new day with drawn orders."""
    kit.service("producer").stop()
    kit.service("consumer").stop()
    kit.amqp().delete(QUEUE)
    numbers = kit.draw.ids(orders, "A")
    desk = Desk(kit)
    desk.open_day(numbers)
    return desk, numbers


def run_producer(kit: Kit) -> None:
    """Start the producer and see it end well."""
    producer = kit.service("producer")
    producer.start()
    ended = producer.await_exit(within=kit.limit(8))
    if ended.exit_code != 0:
        raise Failed(
            expected=Text("producer завершается с кодом 0", "the producer exits with code 0"),
            seen=producer.status().told,
        )


def start_consumer(kit: Kit) -> None:
    """Start the consumer and wait until it has a queue to listen to."""
    kit.service("consumer").start()
    kit.eventually(
        lambda: kit.amqp().exists(QUEUE),
        that(bool, "есть", "is there", lambda _: Text("нет", "is missing")),
        Text(f"очередь {QUEUE} в брокере", f"queue {QUEUE} in the broker"),
        within=kit.limit(PATIENCE),
    )


PROCESSED = Text("обработанные заказы", "processed orders")


@check("consumer-first")
def consumer_first(kit: Kit) -> None:
    desk, orders = start_anew(kit, 3)
    kit.look(
        "Начало consumer.py: что он делает до того, как подписаться?",
        "The beginning of consumer.py: what does it do before it subscribes?",
    )
    kit.step("Удалили очередь tasks и запустили consumer.", "We deleted the queue tasks and started the consumer.")
    start_consumer(kit)
    kit.step("Потом запустили producer с тремя заказами.", "Then we started the producer with three orders.")
    run_producer(kit)
    kit.look("Обработчик сообщения в consumer.py.", "The message handler in consumer.py.")
    kit.eventually(desk.numbers, has_all(orders), PROCESSED, within=kit.limit(PATIENCE))


@check("producer-first")
def producer_first(kit: Kit) -> None:
    desk, orders = start_anew(kit, 4)
    kit.look("producer.py: какие сообщения он отправляет?", "producer.py: which messages does it send?")
    kit.step(
        "Остановили consumer, удалили очередь tasks и запустили producer с четырьмя заказами.",
        "We stopped the consumer, deleted the queue tasks and started the producer with four orders.",
    )
    run_producer(kit)
    amqp = kit.amqp()
    kit.eventually(
        lambda: [number(message.text) for message in amqp.peek(QUEUE, 20)],
        has_all(orders),
        Text("номера в конце сообщений очереди tasks", "numbers at the end of the messages in queue tasks"),
        within=kit.limit(PATIENCE),
    )
    kit.step("Потом запустили consumer.", "Then we started the consumer.")
    kit.look("consumer.py: как он читает очередь?", "consumer.py: how does it read the queue?")
    kit.service("consumer").start()
    kit.eventually(desk.numbers, has_all(orders), PROCESSED, within=kit.limit(PATIENCE))


@check("in-order")
def in_order(kit: Kit) -> None:
    desk, orders = start_anew(kit, 20)
    kit.step(
        "Запустили consumer и producer с двадцатью заказами.",
        "We started the consumer, and the producer with twenty orders.",
    )
    kit.look(
        "Обработчик сообщения: сколько раз он сообщает магазину об одном заказе?",
        "The message handler: how often does it tell the shop about one order?",
    )
    kit.service("consumer").start()
    run_producer(kit)
    kit.eventually(desk.numbers, equal(orders), PROCESSED, within=kit.limit(8), hold=1.0)


@check("keeps-running")
def keeps_running(kit: Kit) -> None:
    desk, _ = start_anew(kit, 1)
    kit.look("Что делает consumer после первого сообщения?", "What does the consumer do after its first message?")
    start_consumer(kit)
    consumer, amqp = kit.service("consumer"), kit.amqp()
    before = consumer.status().restarts
    first, second = (f"{kit.draw.name()} {name}" for name in kit.draw.ids(2, "B"))
    kit.step(
        "Запустили consumer и положили в очередь одно сообщение.",
        "We started the consumer and put one message into the queue.",
    )
    amqp.publish(first, queue=QUEUE)
    texts = Text("обработанные сообщения", "processed messages")
    kit.eventually(desk.texts, equal([first]), texts, hold=1.0)
    now = consumer.status()
    if now.state != "ready" or now.restarts != before:
        again = Text(" и был запущен заново", " and was started again") if now.restarts != before else Text("", "")
        ended = Text("consumer завершился", "the consumer ended") if now.state == "ready" else now.told
        kit.fail(Text("consumer работает дальше", "the consumer goes on running"), ended + again)
    kit.step("Через секунду положили второе.", "A second later we put in another.")
    amqp.publish(second, queue=QUEUE)
    kit.eventually(desk.texts, equal([first, second]), texts)


@check("acknowledged")
def acknowledged(kit: Kit) -> None:
    desk, orders = start_anew(kit, 5)
    kit.look(
        "Что consumer сообщает брокеру после обработки?",
        "What does the consumer tell the broker after processing?",
    )
    kit.step(
        "Дождались, пока consumer обработает пять заказов.",
        "We waited until the consumer had processed five orders.",
    )
    start_consumer(kit)
    run_producer(kit)
    kit.eventually(desk.numbers, has_all(orders), PROCESSED, within=kit.limit(PATIENCE))
    broker = kit.broker()
    unacked = Text(f"сообщений очереди {QUEUE} без подтверждения", f"unacknowledged messages of queue {QUEUE}")
    kit.eventually(lambda: broker.queues()[QUEUE].unacked, equal(0), unacked, within=kit.limit(6), hold=1.2)
    kit.step(
        "Остановили consumer и пересчитали сообщения в очереди.",
        "We stopped the consumer and counted the messages in the queue.",
    )
    kit.service("consumer").stop()
    left = Text(f"сообщений осталось в очереди {QUEUE}", f"messages left in queue {QUEUE}")
    kit.eventually(lambda: kit.amqp().depth(QUEUE).ready, equal(0), left)


@check("address")
def address(kit: Kit) -> None:
    start_anew(kit, 1)
    kit.look("Откуда consumer берёт адрес брокера?", "Where does the consumer take the broker's address from?")
    kit.step(
        "Запустили consumer и спросили брокер о его соединении.",
        "We started the consumer and asked the broker about its connection.",
    )
    kit.service("consumer").start()
    broker = kit.broker()
    kit.eventually(
        lambda: [connection.heartbeat for connection in broker.connections("consumer")],
        equal([HEARTBEAT]),
        Text("heartbeat соединения из AMQP_URL, с", "heartbeat of the connection, from AMQP_URL, s"),
        within=kit.limit(PATIENCE),
    )


@check("closed")
def closed(kit: Kit) -> None:
    start_anew(kit, 2)
    kit.look("Последняя строка работы producer.py.", "The last thing that producer.py does.")
    kit.step(
        "Запустили producer и дождались, пока он завершится.",
        "We started the producer and waited for its end.",
    )
    rabbitmq, broker = kit.service("rabbitmq"), kit.broker()
    offset = rabbitmq.status().log_bytes
    run_producer(kit)
    sent = Text(f"сообщений в очереди {QUEUE}", f"messages in queue {QUEUE}")
    kit.eventually(lambda: kit.amqp().depth(QUEUE).ready, at_least(1), sent, within=kit.limit(PATIENCE), hold=0)
    kit.eventually(
        lambda: [connection.name for connection in broker.connections("producer")],
        equal([]),
        Text("соединения producer в брокере", "connections of the producer in the broker"),
        hold=1.0,
    )
    kit.step(
        "Нашли в журнале брокера, как закрылось соединение.",
        "We looked up in the broker's log how the connection ended.",
    )
    # Lines come in order: when our own dropped connection is in the log, the producer's would be too.
    me, it = kit.amqp().vanish(), kit.service("producer").address()

    def dropped() -> list[str]:
        return lost_connections(rabbitmq.log(offset))

    kit.eventually(
        dropped,
        that(lambda lost: me in lost, "видны", "are visible"),
        Text("обрывы соединений в журнале брокера", "dropped connections in the broker's log"),
        hold=0,
    )
    broken = Text("оборвано, когда процесс исчез", "dropped when the process was gone")
    kit.expect(
        it in dropped(),
        that(lambda lost: not lost, "закрыто", "closed", lambda _: broken),
        Text("соединение producer", "the producer's connection"),
    )


def lost_connections(log: str) -> list[str]:
    """Addresses of clients whose connection the broker lost without a goodbye."""
    found, lines = [], log.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "closing AMQP connection" in line and "unexpectedly closed" in line + following:
            found.append(line.split("(", 1)[-1].split(":", 1)[0])
    return found
