from kit import Kit, Text, check, equal


@check("doubles")
def doubles(kit: Kit) -> None:
    service = kit.http("doubler", 8080)
    kit.look(
        "server.py: откуда берётся число и что с ним происходит.",
        "server.py: where the number comes from and what becomes of it.",
    )
    for number in (kit.draw.integer(3, 999), -kit.draw.integer(3, 999), kit.draw.integer(10**20, 10**21)):
        kit.step(f"Попросили удвоить {number}.", f"We asked to double {number}.")
        answer = service.get(f"/double/{number}")
        kit.expect(answer.status, equal(200), Text("статус", "status"))
        kit.expect(answer.text.strip(), equal(str(number * 2)), Text("ответ", "answer"))


@check("refuses")
def refuses(kit: Kit) -> None:
    service = kit.http("doubler", 8080)
    kit.look("server.py: что происходит, если это не число.", "server.py: what happens if it is not a number.")
    word = f"five-{kit.draw.token(4)}"
    kit.step(f"Попросили удвоить «{word}».", f"We asked to double “{word}”.")
    kit.expect(service.get(f"/double/{word}").status, equal(400), Text("статус", "status"))
