"""Behaviour checks of r2-work-queues: what is printed, kept by the broker and seen by the taps; never the learner's source."""

from collections import Counter

from kit import (
    SENDER,
    Event,
    Failed,
    Kit,
    Mark,
    Matcher,
    Noun,
    Text,
    Trace,
    at_least,
    check,
    equal,
    frame,
    has_all,
    phrases,
    that,
)
from press import Press

QUEUE = "tasks"
WORKERS = ["worker", "worker-2"]
PATIENCE = 6  # seconds; what is right takes less than one on a quiet machine
BOOKS = Noun("книга", "книги", "книг", "book", "books")
PRINTED = Text("напечатано", "printed")
PRINTING = Text("печатаются сейчас", "being printed now")

# -- the stage ---------------------------------------------------------------------------------------------------------


def clear(kit: Kit) -> Press:
    """Nobody runs, there is no queue, the press is idle."""
    press = Press(kit)
    press.open_day()
    kit.service("producer").stop()
    kit.service("worker").stop()
    kit.amqp().delete(QUEUE)
    return press


def start_workers(kit: Kit) -> Mark:
    """Start both workers and wait until each has asked the broker for messages; the moment before that."""
    mark = kit.mark()
    kit.service("worker").start()
    broker = kit.edge("worker", "rabbitmq")
    kit.eventually(
        lambda: sorted({event.replica for event in kit.trace(broker, since=mark).of("consume", "get", "get-empty")}),
        equal(WORKERS),
        Text("просят сообщений у брокера", "ask the broker for messages"),
        within=kit.limit(PATIENCE + 4),
        hold=0,
        where=Text("worker.py: от запуска до подписки на очередь.", "worker.py: from its start to its subscription."),
    )
    return mark


def run_producer(kit: Kit) -> None:
    """Start the producer and see it end well."""
    producer = kit.service("producer")
    producer.start()
    if producer.await_exit(within=kit.limit(8)).exit_code != 0:
        expected = Text("producer завершается с кодом 0", "the producer exits with code 0")
        raise Failed(expected=expected, seen=producer.status().told)


def put(kit: Kit, books: list[str]) -> None:
    """Put books into the queue ourselves, as a producer that does everything right."""
    amqp = kit.amqp()
    for book in books:
        amqp.publish(book, queue=QUEUE, delivery_mode=2)


def printer_of(kit: Kit, book: str, since: Mark) -> str:
    """The replica that has the book in the press now."""
    press = kit.edge("worker", "press")
    kit.seen(press, frame.request(path="/print", body=book), since=since)
    return kit.trace(press, since=since).of(frame.request(path="/print", body=book))[-1].replica


# -- what became of the books ------------------------------------------------------------------------------------------


def every_one(books: list[str]) -> Matcher[list[str]]:
    """All books came out; some perhaps twice."""
    return Matcher(lambda printed: set(books) <= set(printed), Text("все ", "all ") + BOOKS.count(len(books)))


def each_once(books: list[str]) -> Matcher[list[str]]:
    """All books came out, none of them twice."""
    wanted = Text("каждая книга один раз, ", "each book once, ") + BOOKS.count(len(books))
    return Matcher(lambda printed: sorted(printed) == sorted(books), wanted, lambda printed: phrases.doubled(printed, BOOKS))


def await_printed(kit: Kit, press: Press, wanted: Matcher[list[str]], books: list[str], *, hold: float = 0.5) -> None:
    """Wait for the books; when some do not come out, tell whether they are lost or where they are."""
    try:
        kit.eventually(press.printed, wanted, PRINTED, within=kit.limit(PATIENCE), hold=hold)
    except Failed as failure:
        printed = press.printed()
        missing = [book for book in books if book not in printed]
        if not missing:
            raise
        seen = fate(kit, press, missing, len(books))
        if not wanted.accepts(books + printed[:1]) and len(set(printed)) < len(printed):  # wanted once, and some came twice
            seen = phrases.doubled(printed, BOOKS) + Text("; ", "; ") + seen
        raise Failed(expected=failure.expected, seen=seen, where=failure.where) from None


def fate(kit: Kit, press: Press, missing: list[str], total: int) -> Text:
    """Where the books are that did not come out."""
    queue = kit.broker().queues().get(QUEUE)
    if queue is not None and queue.total:
        words = Text("не напечатано ", "not printed: ") + Text(str(len(missing)), str(len(missing)))
        words += Text(" ", " ") + BOOKS.of(total) + f" ({phrases.examples(missing)}); "
        words += phrases.still_in_queue(QUEUE, queue.total)
        return words + Text(f", из них без ack: {queue.unacked}", f", unacknowledged: {queue.unacked}")
    if stuck := [book for book in missing if book in press.printing()]:
        return Text("всё ещё печатается: ", "still being printed: ") + phrases.examples(stuck)
    gone = Text("; в очереди их тоже нет, и никто их больше не напечатает", "; the queue has no trace of them either")
    return phrases.lost(missing, total, BOOKS) + gone


# -- a quiet day -------------------------------------------------------------------------------------------------------


@check("printed")
def printed_once(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(12, "B")
    press.open_day(books)
    kit.look(
        "Обработчик сообщения в worker.py: что он делает с каждой книгой и что потом говорит брокеру?",
        "The handler in worker.py: what does it do with each book, and what does it tell the broker afterwards?",
    )
    kit.step("Запустили оба worker, потом producer с двенадцатью книгами.",
             "We started both workers, then the producer with twelve books.")  # fmt: skip
    start_workers(kit)
    run_producer(kit)
    await_printed(kit, press, each_once(books), books, hold=1.0)


@check("both-work")
def both_work(kit: Kit) -> None:
    press = clear(kit)
    first, second = books = kit.draw.ids(2, "B")
    press.open_day(held=books)
    kit.look("Подписка в worker.py: кому брокер отдаёт книги?", "The subscription in worker.py: to whom does the broker deal?")
    kit.step("Запустили оба worker и положили в очередь длинную книгу.", "We started both workers and put in a long book.")
    mark = start_workers(kit)
    put(kit, [first])
    kit.eventually(press.printing, equal([first]), PRINTING, within=kit.limit(PATIENCE), hold=0)
    kit.step("Пока она печаталась, положили вторую.", "While it was being printed we put in another.")
    put(kit, [second])
    kit.eventually(lambda: sorted(press.printing()), equal(sorted(books)), PRINTING, within=kit.limit(PATIENCE))
    kit.expect(
        sorted({printer_of(kit, book, mark) for book in books}),
        equal(WORKERS),
        Text("кто печатает две книги", "who prints the two books"),
    )


# -- crashes -----------------------------------------------------------------------------------------------------------


@check("killed-mid-task")
def killed_mid_task(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(3, "B")
    press.open_day(held=books)
    kit.look(
        "worker.py: в какой момент брокер забывает книгу, до печати или после?",
        "worker.py: when does the broker forget a book, before it is printed or afterwards?",
    )
    mark = start_workers(kit)
    put(kit, books)
    kit.step(
        "Запустили оба worker и положили в очередь три длинные книги.",
        "We started both workers and put three long books into the queue.",
    )
    kit.eventually(press.printing, includes_first(books), PRINTING, within=kit.limit(PATIENCE), hold=0)
    victim = printer_of(kit, books[0], mark)
    kit.note(f"{victim} печатает {books[0]}", f"{victim} is printing {books[0]}")
    kit.service("worker").replica(victim).kill()
    kit.step(
        f"Убили {victim} (SIGKILL), пока он печатал {books[0]}.",
        f"We killed {victim} (SIGKILL) while it was printing {books[0]}.",
    )
    kit.eventually(press.cut_short, has_all(books[:1]), Text("прервано", "cut short"), within=kit.limit(PATIENCE), hold=0)
    kit.step("Дали остальным книгам допечататься.", "We let the other books come out.")
    press.hold()
    await_printed(kit, press, every_one(books), books)


def includes_first(books: list[str]) -> Matcher[list[str]]:
    """The first book and another one are in the press."""
    return that(lambda now: books[0] in now and len(now) > 1, f"{books[0]} и ещё одна", f"{books[0]} and another one")


#: At which ack a worker is killed, and whether the ack still arrives.
CRASHES = [
    (1, "drop", "на первом подтверждении, и оно не дошло", "at the first acknowledgement, which did not arrive"),
    (2, "drop", "на втором подтверждении, и оно не дошло", "at the second acknowledgement, which did not arrive"),
    (1, "forward", "на первом подтверждении, и оно дошло", "at the first acknowledgement, which arrived"),
]


@check("killed-at-ack")
def killed_at_ack(kit: Kit) -> None:
    press, broker = clear(kit), kit.edge("worker", "rabbitmq")
    kit.look(
        "worker.py: что уже сделано в тот миг, когда уходит подтверждение, и что ещё нет?",
        "worker.py: what is done at the moment when the acknowledgement leaves, and what is not yet?",
    )
    start_workers(kit)
    for nth, then, ru, en in CRASHES:
        books = kit.draw.ids(3 if nth > 1 else 2, "B")
        # Who promises a print before it is through must still be at it when the kill comes.
        press.open_day(seconds=kit.limit(0.5) if then == "forward" else 0.0)
        with broker.hold(frame.ack(QUEUE), nth=nth, kill=SENDER, then=then, seconds=kit.limit(5)) as rule:
            put(kit, books)
            event = rule.await_fired(within=kit.limit(PATIENCE))[0]
            kit.step(
                f"Положили {len(books)} книги и убили {event.replica} {ru}.",
                f"We put in {len(books)} books and killed {event.replica} {en}.",
            )
        await_printed(kit, press, every_one(books), books, hold=0.2)


@check("press-fails")
def press_fails(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(4, "B")
    once, twice = kit.draw.shuffled(books)[:2]
    press.open_day(refused={once: 1, twice: 2})
    kit.look(
        "worker.py: что происходит с сообщением, когда print_book бросает исключение?",
        "worker.py: what becomes of the message when print_book raises an exception?",
    )
    kit.step(
        f"Положили четыре книги. Станок подвёл на {once} один раз и на {twice} дважды.",
        f"We put in four books. The press failed at {once} once and at {twice} twice.",
    )
    start_workers(kit)
    put(kit, books)
    await_printed(kit, press, every_one(books), books)  # which the press had refused before it printed them


# -- acknowledgements ---------------------------------------------------------------------------------------------------


@check("ack-after-work")
def ack_after_work(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(4, "B")
    long = books[0]
    press.open_day(held=[long])
    kit.look(
        "worker.py: где стоит basic_ack относительно print_book, и сколько книг он подтверждает?",
        "worker.py: where does basic_ack stand relative to print_book, and how many books does it settle?",
    )
    mark = start_workers(kit)
    put(kit, books)
    kit.step(
        f"Положили четыре книги. {long} осталась в станке, а одна из других уже вышла.",
        f"We put in four books. {long} stayed in the press, and one of the others has come out.",
    )
    kit.eventually(press.printing, has_all([long]), PRINTING, within=kit.limit(PATIENCE), hold=0)
    kit.eventually(press.printed, that(bool, "хотя бы одна", "at least one"), PRINTED, within=kit.limit(PATIENCE), hold=0)
    watch(kit, mark, long)
    kit.step(f"Дали {long} выйти и дождались подтверждений.", f"We let {long} come out and waited for the acknowledgements.")
    press.hold()
    await_printed(kit, press, every_one(books), books, hold=0)
    kit.eventually(
        lambda: [book for book in books if not acks_of(traffic(kit, mark), book)],
        equal([]),
        Text("напечатаны, но не подтверждены", "printed but not acknowledged"),
        within=kit.limit(PATIENCE),
        hold=0,
    )
    for book in books:
        not_before_its_print(traffic(kit, mark), book)


def traffic(kit: Kit, mark: Mark) -> Trace:
    return kit.trace(kit.edge("worker", "rabbitmq"), kit.edge("worker", "press"), since=mark)


def deliveries_of(trace: Trace, book: str) -> list[Event]:
    return [event for event in trace.of("deliver", "get") if event.get("body") == book]


def acks_of(trace: Trace, book: str) -> list[Event]:
    return [ack for delivery in deliveries_of(trace, book) for ack in trace.answers(delivery).of("ack")]


def watch(kit: Kit, mark: Mark, book: str) -> None:
    """See that the book was delivered to be acknowledged, and for a second that it is not while it is being printed."""
    kit.eventually(
        lambda: [event for event in deliveries_of(traffic(kit, mark), book) if not event.get("no_ack")],
        that(
            bool,
            "до подтверждения",
            "until it is acknowledged",
            lambda _: Text(
                "до отправки, дальше книга забыта (no_ack, он же auto_ack)",
                "until it is sent, then it is forgotten (no_ack, alias auto_ack)",
            ),
        ),
        Text(f"брокер хранит {book}", f"the broker keeps {book}"),
        within=kit.limit(3),
        hold=0,
    )
    what = Text(f"подтверждения {book}, пока она печатается", f"acknowledgements of {book} while it is being printed")
    none: Matcher[list[Event]] = that(lambda acks: not acks, "нет", "none", lambda acks: acks[0].told(kit.begun))
    kit.expect(acks_of(traffic(kit, mark), book), none, what)
    kit.eventually(lambda: acks_of(traffic(kit, mark), book), none, what, hold=1.0)


def not_before_its_print(trace: Trace, book: str) -> None:
    """The first acknowledgement of a book came after the press had said that it is printed."""
    ack = acks_of(trace, book)[0]
    ready = [event for event in trace.of(frame.response(status=200, body=book)) if event.replica == ack.replica]
    if not ready or ready[0].at > ack.at:
        early = Text(
            f"{ack.replica} подтвердил {book} раньше, чем она вышла", f"{ack.replica} acknowledged {book} before it came out"
        )
        raise Failed(expected=Text("подтверждение после печати", "the acknowledgement after the print"), seen=early)


@check("drained")
def drained(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(7, "B")
    press.open_day(books)
    kit.look("worker.py: на каждую ли книгу уходит подтверждение?", "worker.py: is every single book acknowledged?")
    kit.step("Дождались, пока напечатаны семь книг, и спросили брокер, что у него осталось.",
             "We waited until seven books were printed, and asked the broker what it has left.")  # fmt: skip
    start_workers(kit)
    run_producer(kit)
    await_printed(kit, press, every_one(books), books, hold=0)
    kit.broker().await_drained(QUEUE, within=kit.limit(PATIENCE))


# -- sharing ------------------------------------------------------------------------------------------------------------


@check("fair")
def fair(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(20, "B")
    enough = 14  # of the other 19: 70 %
    press.open_day(held=books[:1])
    kit.look(
        "worker.py: сколько книг брокер отдаёт одному worker заранее?",
        "worker.py: how many books does the broker hand to one worker in advance?",
    )
    kit.step(
        f"Положили двадцать книг; первая, {books[0]}, печатается долго.",
        f"We put in twenty books; the first one, {books[0]}, takes long to print.",
    )
    mark = start_workers(kit)
    put(kit, books)
    kit.eventually(press.printing, has_all(books[:1]), PRINTING, within=kit.limit(PATIENCE), hold=0)
    what = Text("книг напечатал второй worker тем временем", "books that the other worker printed meanwhile")
    try:
        kit.eventually(lambda: len(press.printed()), at_least(enough), what, within=kit.limit(PATIENCE), hold=0)
    except Failed as failure:
        dealt = Counter(event.replica for event in traffic(kit, mark).of("deliver", "get"))
        told = ", ".join(f"{name} {count}" for name, count in sorted(dealt.items()))
        seen = failure.seen + Text(f"; брокер роздал: {told}", f"; the broker dealt out: {told}")
        raise Failed(expected=failure.expected, seen=seen) from None


# -- the broker is restarted ---------------------------------------------------------------------------------------------


@check("queue-durable")
def queue_durable(kit: Kit) -> None:
    press = clear(kit)
    press.open_day(kit.draw.ids(2, "B"))
    kit.look(
        "queue_declare в обоих файлах: что переживёт перезапуск брокера?",
        "queue_declare in both files: what will survive a restart of the broker?",
    )
    kit.step("Удалили очередь и запустили только worker.", "We deleted the queue and started the workers alone.")
    start_workers(kit)
    await_durable(kit)
    kit.step("Снова удалили очередь и запустили только producer.", "We deleted the queue again and started the producer alone.")
    clear(kit).open_day(kit.draw.ids(2, "B"))
    run_producer(kit)
    await_durable(kit)


def await_durable(kit: Kit) -> None:
    broker = kit.broker()
    kit.eventually(
        lambda: broker.queue(QUEUE).durable,
        that(bool, "да", "yes", lambda _: Text("нет", "no")),
        Text(f"очередь {QUEUE} объявлена durable", f"queue {QUEUE} is declared durable"),
        within=kit.limit(4),
        hold=0,
    )


@check("broker-restart")
def broker_restart(kit: Kit) -> None:
    press = clear(kit)
    books = kit.draw.ids(30, "B")
    press.open_day(books)
    kit.look(
        "Перезапуск должны пережить и очередь, и сообщения в ней: как каждое из них отправлено?",
        "The queue and the messages in it must both survive a restart: how is each of them sent?",
    )
    run_producer(kit)
    waiting = Text(f"сообщений ждёт в очереди {QUEUE}", f"messages waiting in queue {QUEUE}")
    amqp = kit.amqp()
    kit.eventually(lambda: amqp.depth(QUEUE).ready, equal(30), waiting, within=kit.limit(PATIENCE))
    amqp.close()
    kit.step(
        "Запустили producer с тридцатью книгами и перезапустили брокер, пока они ждали.",
        "We started the producer with thirty books and restarted the broker while they waited.",
    )
    rabbitmq = kit.service("rabbitmq")
    rabbitmq.stop()
    rabbitmq.start(within=kit.limit(30))
    after = Text(f"сообщений в очереди {QUEUE} после перезапуска", f"messages in queue {QUEUE} after the restart")
    kit.eventually(lambda: amqp.depth(QUEUE).ready, equal(30), after, within=kit.limit(3))
    amqp.close()
    kit.step("Запустили оба worker.", "We started both workers.")
    start_workers(kit)
    await_printed(kit, press, each_once(books), books)
