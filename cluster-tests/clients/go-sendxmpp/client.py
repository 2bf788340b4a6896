"""go-sendxmpp driven over standard input and output; ../README.md describes the exchange.

The program either listens or sends: one process listens, and each message takes another. It knows neither rosters nor
XEP-0198, and does not log in again by itself.
"""

import json
import queue
import re
import subprocess
import sys
import threading

EXECUTABLE = "go-sendxmpp"
CANNOT = ["change presence", "resume", "send offline", "subscribe"]
LOST = ("read tcp", "EOF", "connection reset")


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def bound(arguments, **options):
    """Starts a process that ends with this one, however that comes."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *arguments], text=True, **options)


class Listener:
    """The listening process; `happened` is told ("message", line), ("debug", line) and ("end", None), with itself."""

    def __init__(self, login, happened):
        pipe = subprocess.PIPE
        self.process = bound([*login, "--debug", "--listen"], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        self.is_online = False
        self.senders = 0  # Sending processes whose resource the server has not reported gone.
        self.pings = []
        for kind, stream in (("message", self.process.stdout), ("debug", self.process.stderr)):
            threading.Thread(target=self.read, args=(kind, stream, happened), daemon=True).start()

    def read(self, kind, stream, happened):
        for line in stream:
            happened.put((self, kind, line.rstrip("\n")))
        happened.put((self, "end", None))

    def on_presence(self, jid, presence):
        """A server tells each resource of the others of its account, and of itself."""
        if "unavailable" in presence:
            self.senders -= 1
        elif not self.is_online:
            self.is_online = True
            emit("online", jid=jid)

    def answer_pings(self):
        if self.senders <= 0:
            for number in self.pings:
                emit("pong", id=number)
            self.pings.clear()

    def close(self):
        self.process.kill()
        self.process.wait()


def send(login, jid, text):
    result = subprocess.run([*login, jid], input=text + "\n", text=True, stderr=subprocess.PIPE)
    sys.stderr.write(result.stderr)
    if result.returncode:
        emit("error", text=f"{EXECUTABLE} ended with {result.returncode}")


def read_commands(happened):
    for line in sys.stdin:
        happened.put((None, "command", json.loads(line)))
    happened.put((None, "command", {"do": "quit"}))


def main():
    # The trust anchors are read by Go, which the harness points at CA_FILE by SSL_CERT_FILE.
    host, port, jid, password, _, tls = sys.argv[1:7]
    login = [EXECUTABLE, "--username", jid, "--password", password, "--jserver", f"{host}:{port}"]
    if tls == "direct":
        login.append("--tls")
    version = subprocess.run([EXECUTABLE, "--version"], capture_output=True, text=True).stdout.split()
    emit("hello", client=EXECUTABLE, version=version[1] if len(version) > 1 else "", cannot=CANNOT)
    happened = queue.Queue()
    threading.Thread(target=read_commands, args=(happened,), daemon=True).start()
    listener = Listener(login, happened)
    while True:
        source, kind, what = happened.get()
        if kind == "command":
            if what["do"] == "quit":
                break
            if what["do"] == "ping":
                # What was sent is handled when the sender's session has ended at the server.
                listener.pings.append(what["id"])
            else:
                listener.senders += 1
                send(login, what["jid"], what["text"])
            listener.answer_pings()
        elif source is not listener:
            continue
        elif kind == "message":
            _, sender, body = what.split(" ", 2)
            emit("message", **{"from": sender.rstrip(":")}, body=body)
        elif kind == "end" or any(word in what for word in LOST):
            emit("disconnected")
            listener.close()
            listener = Listener(login, happened)
        else:
            print(what, file=sys.stderr)
            for presence in re.findall(r"<presence\b[^>]*>", what):
                if jid in presence:
                    listener.on_presence(jid, presence)
            listener.answer_pings()
    listener.close()


main()
