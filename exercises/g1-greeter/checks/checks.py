"""Behaviour checks of g1-greeter: calls from contracts that old and new clients hold, never the learner's own .proto."""

from kit import Kit, Text, check, equal, includes

SERVICE = "shop.v1.Greeter"
V1, V2 = "contract_v1.textproto", "contract_v2.textproto"
AT_ONCE = 30
MEGABYTE = 1_000_000
BONUS = 5


class Names:
    """The given service `names`, held from the prober's side."""

    def __init__(self, kit: Kit) -> None:
        self.http = kit.control("names", 8080)
        self.words = {what: f"{{name}}, {kit.draw.token()} {kit.draw.choice('🌿🍯🐝☀')}" for what in ("greeting", "farewell")}
        self.set(held=False)

    def set(self, *, held: bool) -> None:
        self.http.post("/control/set", json_body={"words": self.words, "held": held})

    def waiting(self) -> int:
        return self.http.get("/control/waiting").json()["waiting"]

    def greeting(self, name: str) -> str:
        return self.words["greeting"].replace("{name}", name)

    def farewell(self, name: str) -> str:
        return self.words["farewell"].replace("{name}", name)


MESSAGE = Text("message", "message")


@check("reflection")
def reflection(kit: Kit) -> None:
    client = kit.grpc("greeter", 50051, V1)
    kit.look("server.py: что сервер рассказывает о себе?", "server.py: what does the server tell about itself?")
    kit.step(
        "Спросили у сервера через gRPC reflection, какие сервисы в нём есть.",
        "We asked the server by gRPC reflection which services it has.",
    )
    kit.expect(client.services(), includes(SERVICE), Text("сервисы", "services"))
    kit.expect(client.methods(SERVICE), includes("Greet"), Text(f"методы {SERVICE}", f"methods of {SERVICE}"))


@check("old-client")
def old_client(kit: Kit) -> None:
    names = Names(kit)
    client = kit.grpc("greeter", 50051, V1)
    kit.look(
        "shop.proto: номера полей, имя пакета и имя метода из первой версии; server.py: что возвращает Greet.",
        "shop.proto: field numbers, package and method of version 1; server.py: what Greet returns.",
    )
    kit.step(
        "Вызвали Greet клиентом, который собран из первой версии shop.proto.",
        "We called Greet from a client built from version 1 of shop.proto.",
    )
    for name in (kit.draw.name(), kit.draw.name()):
        reply = client.reply(f"{SERVICE}/Greet", {"name": name})
        kit.expect(reply.message, equal(names.greeting(name)), MESSAGE)


@check("new-client")
def new_client(kit: Kit) -> None:
    names = Names(kit)
    client = kit.grpc("greeter", 50051, V2)
    kit.look("shop.proto и server.py: метод Farewell.", "shop.proto and server.py: the method Farewell.")
    for orders in (0, kit.draw.integer(2, 900)):
        name = kit.draw.name()
        kit.step(
            f"Новый клиент вызвал Farewell с {orders} в поле orders.",
            f"A new client called Farewell with {orders} in the field orders.",
        )
        reply = client.reply(f"{SERVICE}/Farewell", {"name": name, "orders": orders})
        kit.expect(reply.message, equal(names.farewell(name)), MESSAGE)
        kit.expect(reply.bonus, equal(orders * BONUS), Text("bonus", "bonus"))
    kit.step("Потом он же вызвал Greet.", "Then it called Greet.")
    name = kit.draw.name()
    kit.expect(client.reply(f"{SERVICE}/Greet", {"name": name}).message, equal(names.greeting(name)), MESSAGE)


@check("empty-name")
def empty_name(kit: Kit) -> None:
    names = Names(kit)
    client = kit.grpc("greeter", 50051, V1)
    kit.look("server.py: что Greet делает, когда имени нет?", "server.py: what does Greet do when there is no name?")
    for told, name in (
        (Text("пустым именем", "an empty name"), ""),
        (Text("именем из трёх пробелов", "a name of three spaces"), "   "),
    ):
        kit.step(f"Вызвали Greet с {told.ru}.", f"We called Greet with {told.en}.")
        kit.expect(client.call(f"{SERVICE}/Greet", {"name": name}).code, equal("INVALID_ARGUMENT"), Text("статус", "status"))
    kit.step("Потом вызвали Greet с настоящим именем.", "Then we called Greet with a real name.")
    name = kit.draw.name()
    kit.expect(client.reply(f"{SERVICE}/Greet", {"name": name}).message, equal(names.greeting(name)), MESSAGE)


@check("thirty-at-once")
def thirty_at_once(kit: Kit) -> None:
    names = Names(kit)
    client = kit.grpc("greeter", 50051, V1)
    people = [f"{kit.draw.name()} {n}" for n in range(AT_ONCE)]
    kit.look(
        "server.py: сколько вызовов сервер ведёт одновременно?",
        "server.py: how many calls does the server carry at the same time?",
    )
    kit.step(
        f"Придержали ответы names и отправили {AT_ONCE} вызовов Greet сразу.",
        f"We held the answers of names and sent {AT_ONCE} calls of Greet at once.",
    )
    names.set(held=True)
    try:
        calls = [client.start(f"{SERVICE}/Greet", {"name": name}, within=kit.limit(25)) for name in people]
        kit.eventually(
            names.waiting,
            equal(AT_ONCE),
            Text("вызовов, которые одновременно дошли до names", "calls that reached names at the same time"),
            within=kit.limit(6),
            hold=0.3,
        )
    finally:
        names.set(held=False)
    kit.step("Отпустили ответы.", "We released the answers.")
    outcomes = [call.outcome() for call in calls]
    answered = [outcome.reply.message if outcome.code == "OK" else outcome.code for outcome in outcomes]
    kit.expect(answered, equal([names.greeting(name) for name in people]), Text("ответы", "answers"))


@check("any-name")
def any_name(kit: Kit) -> None:
    names = Names(kit)
    client = kit.grpc("greeter", 50051, V1)
    kit.look("server.py: что происходит с именем по дороге?", "server.py: what happens to the name on its way?")
    kit.step("Вызвали Greet с именами на разных языках.", "We called Greet with names in many scripts.")
    for name in kit.draw.difficult_names():
        kit.expect(client.reply(f"{SERVICE}/Greet", {"name": name}).message, equal(names.greeting(name)), MESSAGE)
    kit.step("Потом с именем длиной в мегабайт.", "Then with a name of one megabyte.")
    name = kit.draw.long_text(MEGABYTE)
    message = client.reply(f"{SERVICE}/Greet", {"name": name}, within=kit.limit(10)).message
    kit.expect(message == names.greeting(name), equal(True), Text("имя пришло целиком", "the whole name came back"))
