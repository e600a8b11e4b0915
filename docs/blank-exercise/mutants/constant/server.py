from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            number = int(self.path.removeprefix("/double/"))
        except ValueError:
            self.send_error(400, "a number is expected")
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"42")


HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
