import re
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Doubler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = re.fullmatch(r"/double/(-?\d+)", self.path)
        status, text = (200, str(2 * int(found[1]))) if found else (400, "no")
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("", 8080), Doubler).serve_forever()
