"""profanity, typed to in a terminal of tmux, driven over standard input and output; ../README.md describes the exchange.

What it sends and receives is read from its log; a message counts once it also stands on the screen.
"""

import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

CANNOT = ["send offline"]  # It refuses to send while there is no connection.
SUBSCRIPTIONS = {"subscribe", "subscribed", "unsubscribe", "unsubscribed"}
DEADLINE = 20
LOOK_EVERY = 0.02
# Larger than all that one test shows, so that nothing scrolls away.
COLUMNS, ROWS = 200, 400


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def until(what, ask):
    end = time.monotonic() + DEADLINE
    while not (answer := ask()):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(LOOK_EVERY)
    return answer


def bound(arguments, **options):
    """Starts a process that ends with this one, however that comes."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *arguments], **options)


class Terminal:
    """A screen of tmux with one program on it."""

    def __init__(self, folder, arguments):
        self.socket = folder / "tmux"
        self.server = bound(["tmux", "-u", "-D", "-f", "/dev/null", "-S", self.socket], stdin=subprocess.DEVNULL)
        until("tmux", lambda: self.tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), *arguments))

    def tmux(self, *arguments):
        """The output of the command, "ok" if there is none, or None when it failed."""
        command = ["tmux", "-N", "-S", self.socket, *arguments]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return None if result.returncode else result.stdout or "ok"

    def type(self, line):
        self.tmux("send-keys", "-l", "--", line)
        self.tmux("send-keys", "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p", "-J") or ""

    def is_closed(self):
        return self.tmux("has-session") is None

    def close(self):
        self.server.kill()
        self.server.wait()


class Profanity:
    def __init__(self, home, host, port, jid, password, policy):
        self.jid = jid
        self.focus = None
        self.coming = None  # What to say once all that it takes has come.
        self.awaited = set()
        self.pings = []  # Ours, whose request the log has not shown yet.
        self.asked = {}  # Stanza id -> ours.
        configuration = home / ".config/profanity"
        data = home / ".local/share/profanity"
        configuration.mkdir(parents=True)
        data.mkdir(parents=True)
        (configuration / "profrc").write_text(
            "[connection]\nreconnect=1\nautoping=0\n[ui]\nsplash=false\nvercheck=false\n[chatstates]\nenabled=false\n"
        )
        (data / "accounts").write_text(
            f"[own]\nenabled=true\njid={jid}\npassword={password}\nserver={host}\nport={port}\n"
            f"tls.policy={policy}\npresence.last=online\npresence.login=online\n"
        )
        log = home / "profanity.log"
        log.touch()
        program = ["profanity", "--log", "DEBUG", "--logfile", str(log), "--account", "own"]
        self.terminal = Terminal(home, program)
        self.log = bound(["tail", "--lines=+1", "--follow", log], stdout=subprocess.PIPE, text=True, errors="replace")

    def obey(self, command):
        match command["do"]:
            case "subscribe":
                self.terminal.type(f"/sub request {command['jid']}")
            case "accept":
                self.terminal.type(f"/sub allow {command['jid']}")
            case "send":
                self.focus_on(command["jid"])
                self.terminal.type(command["text"])
            case "presence":
                show = command["show"]
                self.terminal.type(f"/status set {'online' if show == 'available' else show}")
            case "ping":
                self.pings.append(command["id"])
                self.terminal.type("/ping")
            case other:
                raise ValueError(f"no such command: {other}")

    def focus_on(self, jid):
        if self.focus != jid:
            self.focus = jid
            self.terminal.type(f"/msg {jid}")

    def on_log(self, line):
        if "Connection handler: XMPP_CONN_DISCONNECT" in line:
            emit("disconnected")
        elif "Bind successful" in line:
            self.await_all("online")
        elif "Session resumed successfully" in line:
            self.await_all("resumed")
        elif "connection_features_received" in line:
            self.has_come("features")
        elif sent := re.search(r"DBG: SENT: <iq id=\"([^\"]+)\" type=\"get\"><ping ", line):
            self.asked[sent[1]] = self.pings.pop(0)
        elif received := re.search(r"DBG: RECV: (<(?:message|presence|iq)\b.*)", line):
            self.on_stanza(ElementTree.fromstring(received[1]))

    def await_all(self, coming):
        """It asks for roster and features on a new stream and on a resumed one, and pings no server without them."""
        self.coming, self.awaited = coming, {"features", "presence"}

    def has_come(self, what):
        self.awaited.discard(what)
        if self.coming and not self.awaited:
            emit(self.coming, jid=self.jid)
            self.coming = None

    def on_stanza(self, stanza):
        sender, kind = stanza.get("from", ""), stanza.get("type")
        if stanza.tag == "presence" and sender.split("/")[0] == self.jid:
            # A server tells each resource of its own presence; the roster was asked for before.
            self.has_come("presence")
        elif stanza.tag == "iq" and (ping := self.asked.pop(stanza.get("id"), None)):
            emit("pong", id=ping)
        elif stanza.tag == "message" and (body := stanza.findtext("body")):
            self.focus_on(sender.split("/")[0])
            until(f"{body} on the screen", lambda: body in self.terminal.screen())
            emit("message", **{"from": sender}, body=body)
        elif stanza.tag == "presence" and kind in SUBSCRIPTIONS:
            emit("subscription", **{"from": sender}, type=kind)
        elif stanza.tag == "presence":
            emit("presence", **{"from": sender}, show=kind or stanza.findtext("show") or "available")

    def quit(self):
        self.terminal.type("/quit")
        until("the end of profanity", self.terminal.is_closed)
        self.terminal.close()
        self.log.kill()


def read_lines(kind, stream, happened):
    for line in stream:
        happened.put((kind, line))
    happened.put(("end", kind))


def main():
    # The trust anchors are read by OpenSSL, which the harness points at CA_FILE by SSL_CERT_FILE.
    host, port, jid, password, _, tls = sys.argv[1:7]
    policy = "legacy" if tls == "direct" else "force"
    os.environ["LC_ALL"] = "C.UTF-8"
    version = subprocess.run(["profanity", "--version"], capture_output=True, text=True).stdout.split()
    emit("hello", client="profanity", version=version[2] if len(version) > 2 else "", cannot=CANNOT)
    profanity = Profanity(pathlib.Path.home(), host, port, jid, password, policy)
    happened = queue.Queue()
    for kind, stream in (("command", sys.stdin), ("log", profanity.log.stdout)):
        threading.Thread(target=read_lines, args=(kind, stream, happened), daemon=True).start()
    while True:
        kind, line = happened.get()
        if kind == "log":
            sys.stderr.write(line)
            profanity.on_log(line)
        elif kind == "end" or json.loads(line)["do"] == "quit":
            break
        else:
            profanity.obey(json.loads(line))
    profanity.quit()


main()
