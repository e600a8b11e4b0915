"""Long-lived streams over WebSocket, on an origin of their own: states, logs, terminals.

`GET /ws` speaks JSON in text frames. The page's first frame, within 5 s, is `{"ticket": …}` with, for logs, `"offset"` and, for
a terminal, `"rows"` and `"cols"`. It sends `{"ticket": …}` again every 45 s; a stream without a fresh one closes at 60 s. A
terminal also takes `{"rows": …, "cols": …}` and binary frames.

Sent to the page, by kind of ticket:
    watch     {"type": "sandbox", …} on every change; {"type": "away"} while sandboxd does not answer
    logs      {"type": "logs", "service": …, "offset": …, "data": …}; `offset` is where the next one begins
    terminal  binary frames
Close codes: 4401 the ticket is refused or ran out, 4400 the page broke the protocol, 4404 nothing there to stream,
4429 too many streams, 1013 sandboxd does not answer (try again), 1012 this process restarts, 1000 the stream has ended.
"""
