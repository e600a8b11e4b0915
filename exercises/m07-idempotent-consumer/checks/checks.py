"""Checks of m07-idempotent-consumer: one event, one change of the balance, whatever breaks in between."""

from __future__ import annotations

from kit import SENDER, Kit, Text, at_least, check, equal, frame
from loyalty import QUEUE, Loyalty

COMMITS_TRIED = 5  #: crash points of one event; nobody needs as many commits


@check("credits")
def credits(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Число баллов за событие: целых рублей в `amount_kopecks`.",
        "The points of an event: the whole roubles in `amount_kopecks`.",
    )
    alice, boris = kit.draw.ids(2, "u")
    whole, below, more, other = (
        shop.payment(alice, kopecks=100 * kit.draw.integer(3, 900)),
        shop.payment(alice, kopecks=kit.draw.integer(51, 99)),
        shop.payment(alice, kopecks=100 * kit.draw.integer(3, 900) + kit.draw.integer(51, 99)),
        shop.payment(boris),
    )
    amounts = f"{whole.kopecks}, {below.kopecks}, {more.kopecks}"
    kit.step(
        f"Опубликовали три события покупателя {alice} (копеек: {amounts}) и одно покупателя {boris}.",
        f"We published three events of customer {alice} (kopecks: {amounts}) and one of customer {boris}.",
    )
    for payment in (whole, below, other, more):
        shop.publish(payment)
    shop.expect(alice, whole.points + more.points)
    shop.expect(boris, other.points)


@check("duplicate")
def duplicate(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look("Как ваш код узнаёт событие, которое уже применил?", "How does your code recognise an event that it has applied?")
    payment, copies = shop.payment(), kit.draw.integer(2, 4)
    kit.step(
        f"Опубликовали событие на {payment.worth.ru} и {copies} его повтора с другим порядком полей.",
        f"We published an event of {payment.worth.en} and {copies} duplicates of it with their fields in another order.",
    )
    for _ in range(1 + copies):
        shop.publish(payment)
    shop.goes_on(payment.user, payment.points)


@check("same-order")
def same_order(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look("Что служит ключом события?", "What serves as the key of an event?")
    first = shop.payment()
    second = shop.payment(first.user, order=first.order, kopecks=first.kopecks)
    kit.step(
        f"Опубликовали два равных платежа заказа {first.order}, по {first.worth.ru}, с разными event_id.",
        f"We published two equal captures of order {first.order}, {first.worth.en} each, with different event_ids.",
    )
    shop.publish(first)
    shop.publish(second)
    shop.goes_on(first.user, first.points + second.points)


@check("restart")
def restart(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Где хранится память о применённых событиях?",
        "Where is the memory of applied events kept?",
    )
    payment = shop.payment()
    kit.step(
        f"Опубликовали событие на {payment.worth.ru} и дождались начисления.",
        f"We published an event of {payment.worth.en} and waited until it was credited.",
    )
    shop.publish(payment)
    shop.expect(payment.user, payment.points, hold=0.2)
    kit.step(
        "Убили worker, дождались, пока его запустят снова, и опубликовали то же событие.",
        "We killed worker, waited until it was started again, and published the same event.",
    )
    mark = kit.mark()
    shop.worker.kill()
    shop.await_listening(since=mark)
    shop.publish(payment)
    shop.goes_on(payment.user, payment.points)


@check("late-duplicate")
def late_duplicate(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look("Сколько событий помнит ваш код?", "How many events does your code remember?")
    payment, crowd = shop.payment(), kit.draw.ids(5, "u")
    others = [shop.payment(kit.draw.choice(crowd)) for _ in range(kit.draw.integer(201, 220))]
    own = [shop.payment(payment.user) for _ in range(3)]
    kit.step(
        f"Опубликовали событие на {payment.worth.ru}, за ним ещё {len(others) + len(own)} и дождались всех начислений.",
        f"We published an event of {payment.worth.en} and {len(others) + len(own)} more, and waited until all were credited.",
    )
    shop.publish(payment, *kit.draw.shuffled([*others, *own]))
    total = payment.points + sum(one.points for one in own)
    for user in crowd:
        shop.expect(user, sum(one.points for one in others if one.user == user), within=20, hold=0)
    shop.expect(payment.user, total, hold=0)
    kit.step("Опубликовали самое первое событие ещё раз.", "We published the very first event once more.")
    shop.publish(payment)
    shop.goes_on(payment.user, total)


@check("race")
def race(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin(replicas=2)
    kit.look(
        "Команды до начисления: какая из них заставит вторую реплику подождать?",
        "The statements before the points: which of them makes the second replica wait?",
    )
    user, total = kit.draw.id("u"), 0
    for _ in range(2):  # a customer who is new, and one who has a balance
        payment = shop.payment(user)
        shop.together(payment, payment)
        total += payment.points
        shop.expect(user, total)


@check("side-by-side")
def side_by_side(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin(replicas=2)
    kit.look(
        "Команда, которая меняет баланс: на каком значении она основана?",
        "The statement that changes the balance: on which value is it based?",
    )
    user, total = kit.draw.id("u"), 0
    for _ in range(2):  # a customer who is new, and one who has a balance
        first, second = shop.payment(user), shop.payment(user)
        shop.together(first, second)
        total += first.points + second.points
        shop.expect(user, total)


@check("crash-first")
def crash_first(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Когда брокер узнаёт, что событие обработано: до COMMIT или после?",
        "When does the broker learn that the event was processed: before the COMMIT or after it?",
    )
    commit = shop.learn().commit
    payment = shop.payment()
    with shop.to_db.hold(commit, kill=SENDER, then="drop", seconds=kit.limit(5)) as rule:
        shop.publish(payment)
        rule.await_fired()
    kit.step(
        f"Опубликовали событие на {payment.worth.ru} и убили worker на первой фиксации раньше, чем она дошла до базы.",
        f"We published an event of {payment.worth.en} and killed worker at its first commit, before it reached the database.",
    )
    shop.goes_on(payment.user, payment.points)


@check("crash-later")
def crash_later(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Сколько раз ваш код фиксирует транзакцию ради одного события и что лежит в базе между фиксациями?",
        "How often does your code commit for one event, and what does the database hold between those commits?",
    )
    way = shop.learn()
    kit.step(
        f"Сосчитали фиксации на одно событие: {way.commits}.",
        f"We counted the commits for one event: {way.commits}.",
    )
    for number in range(2, min(way.commits, COMMITS_TRIED) + 1):
        payment = shop.payment()
        with shop.to_db.hold(way.commit, nth=number, kill=SENDER, then="drop", seconds=kit.limit(5)) as rule:
            shop.publish(payment)
            rule.await_fired()
        kit.step(
            f"Опубликовали событие на {payment.worth.ru} и убили worker на фиксации № {number} раньше, чем она дошла до базы.",
            f"We published an event of {payment.worth.en} and killed worker at commit {number}, before the database had it.",
        )
        shop.goes_on(payment.user, payment.points)
    payment = shop.payment()
    with shop.to_broker.hold(frame.ack(QUEUE), kill=SENDER, then="drop", seconds=kit.limit(5)) as rule:
        shop.publish(payment)
        rule.await_fired()
    kit.step(
        f"Опубликовали событие на {payment.worth.ru} и убили worker на подтверждении раньше, чем оно дошло до брокера.",
        f"We published an event of {payment.worth.en} and killed worker at its acknowledgement, before it reached the broker.",
    )
    shop.goes_on(payment.user, payment.points)


@check("lost-ack")
def lost_ack(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Что найдёт ваш код в базе, когда то же событие придёт снова?",
        "What will your code find in the database when the same event comes again?",
    )
    payment, mark = shop.payment(), kit.mark()
    with shop.to_broker.reset(frame.ack(QUEUE)) as rule:
        shop.publish(payment)
        rule.await_fired()
    kit.step(
        f"Опубликовали событие на {payment.worth.ru} и оборвали связь с брокером на подтверждении.",
        f"We published an event of {payment.worth.en} and broke the link to the broker at the acknowledgement.",
    )
    kit.eventually(
        lambda: len([one for one in shop.deliveries(payment, since=mark) if one.get("redelivered")]),
        at_least(1),
        Text("повторных доставок события", "redeliveries of the event"),
        within=kit.limit(12),
        hold=0,
    )
    kit.step("Брокер отдал событие снова.", "The broker delivered the event again.")
    shop.goes_on(payment.user, payment.points)


@check("db-cut")
def db_cut(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Что говорит ваш код брокеру, когда команда базе закончилась ошибкой?",
        "What does your code tell the broker when a statement has ended in an error?",
    )
    way = shop.learn()
    there, back = shop.payment(), shop.payment()
    with shop.to_db.reset(way.commit) as rule:
        shop.publish(there)
        rule.await_fired()
    kit.step(
        f"Опубликовали событие на {there.worth.ru} и оборвали связь с базой на фиксации раньше, чем та дошла до базы.",
        f"We published an event of {there.worth.en} and broke the link to the database at the commit, before it got there.",
    )
    shop.goes_on(there.user, there.points)
    with shop.to_db.reset(frame.complete(), nth=way.answer) as rule:
        shop.publish(back)
        rule.await_fired()
    kit.step(
        f"Опубликовали событие на {back.worth.ru} и оборвали связь с базой после фиксации: ответ не дошёл до worker.",
        f"We published an event of {back.worth.en} and broke the link after the commit: its answer did not reach worker.",
    )
    shop.goes_on(back.user, back.points)


@check("drained")
def drained(kit: Kit) -> None:
    shop = Loyalty(kit)
    shop.begin()
    kit.look(
        "Путь повтора до конца обработчика: что услышит брокер?",
        "The way of a duplicate to the end of the handler: what will the broker hear?",
    )
    payment, copies, mark = shop.payment(), kit.draw.integer(2, 4), kit.mark()
    kit.step(
        f"Опубликовали событие и {copies} его повтора.",
        f"We published an event and {copies} duplicates of it.",
    )
    for _ in range(1 + copies):
        shop.publish(payment)
    shop.goes_on(kit.draw.id("u"))
    kit.eventually(
        lambda: len(shop.deliveries(payment, since=mark)),
        at_least(1 + copies),
        Text("доставок события и его повторов", "deliveries of the event and its duplicates"),
        hold=0,
    )
    broker = kit.broker()
    kit.eventually(
        lambda: broker.queues()[QUEUE].unacked,
        equal(0),
        Text(f"сообщений очереди {QUEUE} без подтверждения", f"unacknowledged messages of queue {QUEUE}"),
        within=kit.limit(6),
        hold=1.2,
    )
    kit.step("Остановили worker и пересчитали сообщения в очереди.", "We stopped worker and counted the messages in the queue.")
    shop.worker.stop()
    left = Text(f"сообщений в очереди {QUEUE}", f"messages in queue {QUEUE}")
    kit.eventually(lambda: kit.amqp().depth(QUEUE).ready, equal(0), left, within=kit.limit(3))
