"""nginx with real TLS in front, as README has it: login, cookies, WebSocket, address."""
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time

from ground import PASSWORD, STEP, World, free_ports, totp

CONF = """
daemon off;
pid %(root)s/nginx.pid;
error_log %(root)s/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path %(root)s/body;
    proxy_temp_path %(root)s/proxy;
    fastcgi_temp_path %(root)s/fastcgi;
    uwsgi_temp_path %(root)s/uwsgi;
    scgi_temp_path %(root)s/scgi;
    server {
        listen 127.0.0.1:%(tls)d ssl;
        server_name pipe.example;
        ssl_certificate %(root)s/cert.pem;
        ssl_certificate_key %(root)s/key.pem;
        location / {
            proxy_pass http://127.0.0.1:%(port)d;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
        }
    }
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
}
"""


def run(binary, _):
    """Everything through the proxy, nothing beside it."""
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.path.exists(nginx):
        raise SystemExit("this part needs nginx; install with: sudo apt-get install nginx-light")
    tls, = free_ports(1)
    origin = "https://pipe.example:%d" % tls
    settings = {"ALLOWED_ORIGINS": origin, "TRUST_PROXY_HEADERS": "true",
                "FORCE_SECURE_COOKIES": "true"}
    with World(binary, vars=settings) as world:
        certificate(world.root)
        with open(world.root + "/nginx.conf", "w", encoding="ascii") as file:
            file.write(CONF % {"root": world.root, "tls": tls, "port": world.port})
        server = subprocess.Popen([nginx, "-c", world.root + "/nginx.conf", "-p", world.root],
                                  stderr=subprocess.DEVNULL)
        try:
            world.start_daemon()
            world.ready_for_login()
            through(world, tls, origin)
        finally:
            server.terminate()
            server.wait(10)


def certificate(root):
    """A self-signed one."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=pipe.example", "-addext", "subjectAltName=DNS:pipe.example",
                    "-keyout", root + "/key.pem", "-out", root + "/cert.pem"], check=True,
                   stderr=subprocess.DEVNULL)


class Through:
    """A browser's requests, by way of the proxy."""

    def __init__(self, world, port, origin):
        self.port, self.origin, self.cookie, self.proof = port, origin, None, None
        self.context = ssl.create_default_context(cafile=world.root + "/cert.pem")

    def connect(self):
        """A TLS connection to the proxy under the name of its certificate."""
        end = time.monotonic() + 10
        while True:
            try:
                plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                return self.context.wrap_socket(plain, server_hostname="pipe.example")
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def ask(self, method, path, body):
        """(reply, its JSON); remembers the cookie that it sets."""
        connection = http.client.HTTPConnection("pipe.example:%d" % self.port)
        connection.sock = self.connect()
        head = {"Content-Type": "application/json", "Origin": self.origin,
                "X-Forwarded-For": "6.6.6.6", "User-Agent": "through the proxy"}
        if self.cookie:
            head["Cookie"] = self.cookie
        if self.proof:
            head["X-CodePiper-Proof"] = self.proof
        connection.request(method, "/api" + path, json.dumps(body), head)
        reply = connection.getresponse()
        text = json.loads(reply.read())
        if reply.status >= 300:
            raise SystemExit("%s %s through nginx: %d %s" % (method, path, reply.status, text))
        for cookie in reply.headers.get_all("Set-Cookie") or []:
            if not cookie.split(";")[0].endswith("="):
                self.cookie, self.attributes = cookie.split(";")[0], cookie
        self.proof = text.get("proof", self.proof)
        return reply, text


def through(world, tls, origin):
    """Set-up, login, cookie, WebSocket and audit."""
    browser = Through(world, tls, origin)
    browser.ask("POST", "/auth/setup", {"bootstrapPassword": world.first_password,
                                        "password": PASSWORD})
    _, offer = browser.ask("POST", "/auth/mfa/setup", {})
    step = int(time.time()) // STEP
    browser.ask("POST", "/auth/mfa/verify", {"totpCode": totp(offer["secret"], step)})
    while int(time.time()) // STEP == step:
        time.sleep(0.2)
    browser.cookie = browser.proof = None
    code = totp(offer["secret"], step + 1)
    reply, _ = browser.ask("POST", "/auth/login", {"password": PASSWORD, "totpCode": code})
    for part in ("__Host-codepiper_session=", "; Secure", "; HttpOnly", "; SameSite=Strict"):
        if part not in browser.attributes:
            raise SystemExit("no %r in the cookie over TLS" % part)
    if not reply.headers.get("Strict-Transport-Security"):
        raise SystemExit("no HSTS over TLS")
    browser.ask("GET", "/sessions", None)
    with browser.connect() as stream:
        head = ("GET /ws HTTP/1.1\r\nHost: pipe.example:%d\r\nOrigin: %s\r\nCookie: %s\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % (tls, origin,
                                                                         browser.cookie))
        stream.sendall(head.encode())
        reply = stream.recv(4096)
        if not reply.startswith(b"HTTP/1.1 101 "):
            raise SystemExit("no WebSocket through nginx: %r" % reply[:300])
    listed = world.cli("auth", "sessions", "--json").stdout
    audited = world.cli("audit", "--limit", "20", "--json").stdout
    right = "127.0.0.1" in listed and "web 127.0.0.1 (through the proxy)" in audited
    if not right or "6.6.6.6" in listed + audited:
        raise SystemExit("the client's address is wrong: %s %s" % (listed, audited))
    print("login, Secure cookie, HSTS, WebSocket and address through nginx: as they should be")
