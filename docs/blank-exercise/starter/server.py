from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        # The number is the end of self.path.
        self.send_error(501)


HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
