"""The few words that the renderer itself puts into a text, in both languages."""

from __future__ import annotations

from app.content.text import Lang

WORDS: dict[Lang, dict[str, str]] = {
    "ru": {
        "note": "Заметка",
        "warning": "Осторожно",
        "predict": "Подумайте, прежде чем читать дальше",
        "runs": "выполняется в тестах",
        "runs-why": "Этот код извлекают из урока и запускают при каждой проверке курса.",
        "parsed": "проверяется в тестах",
        "parsed-why": "Этот текст разбирают или компилируют при каждой проверке курса.",
        "copy": "Копировать",
        "code": "Код",
        "output": "Вывод",
        "variants": "Варианты кода",
        "table": "Таблица",
        "diagram": "Схема",
        "diagram-text": "Схема словами",
        "enlarge": "Увеличить",
        "close": "Закрыть",
        "footnotes": "Примечания",
        "footnote-back": "Назад к тексту, к примечанию {}",
        "planned": "в планах",
        "new-site": "внешний сайт",
    },
    "en": {
        "note": "Note",
        "warning": "Careful",
        "predict": "Predict before you read on",
        "runs": "runs in the tests",
        "runs-why": "This code is taken from the lesson and run at every check of the course.",
        "parsed": "checked in the tests",
        "parsed-why": "This text is parsed or compiled at every check of the course.",
        "copy": "Copy",
        "code": "Code",
        "output": "Output",
        "variants": "Variants of the code",
        "table": "Table",
        "diagram": "Diagram",
        "diagram-text": "The diagram in words",
        "enlarge": "Enlarge",
        "close": "Close",
        "footnotes": "Footnotes",
        "footnote-back": "Back to the text, to footnote {}",
        "planned": "planned",
        "new-site": "external site",
    },
}
