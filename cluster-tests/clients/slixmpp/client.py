"""A slixmpp client driven over standard input and output; ../README.md describes the exchange."""

import asyncio
import json
import logging
import sys

import slixmpp
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

SUBSCRIPTIONS = {"subscribe", "subscribed", "unsubscribe", "unsubscribed"}


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Client(slixmpp.ClientXMPP):
    def __init__(self, host, port, jid, password, ca_file, tls):
        super().__init__(jid, password)
        self.address = (host, int(port))
        self.ca_certs = ca_file
        self.enable_direct_tls = tls == "direct"
        self.enable_starttls = tls == "starttls"
        self.enable_plaintext = False
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.leaving = False
        self.register_plugin("xep_0198")
        self.register_plugin("xep_0199")
        self.add_event_handler("session_start", self.on_online)
        self.add_event_handler("session_resumed", lambda _: emit("resumed"))
        self.add_event_handler("disconnected", self.on_disconnected)
        self.add_event_handler("failed_all_auth", lambda _: emit("error", text="authentication failed"))
        self.add_event_handler("message", self.on_message)
        self.register_handler(Callback("driver", MatchXPath("{jabber:client}presence"), self.on_presence))

    async def on_online(self, _):
        await self.get_roster()
        self.send_presence()
        await self["xep_0199"].ping(self.boundjid.domain)
        emit("online", jid=str(self.boundjid))

    def on_disconnected(self, _):
        if not self.leaving:
            emit("disconnected")
            self.connect(*self.address)

    def on_message(self, message):
        if message["body"]:
            emit("message", **{"from": str(message["from"])}, body=message["body"])

    def on_presence(self, presence):
        sender = {"from": str(presence["from"])}
        kind = presence.xml.get("type")
        if kind in SUBSCRIPTIONS:
            emit("subscription", **sender, type=kind)
        elif kind in (None, "unavailable", "error"):
            emit("presence", **sender, show=kind or presence["show"] or "available")

    async def ping_server(self, number):
        await self["xep_0199"].ping(self.boundjid.domain)
        emit("pong", id=number)

    async def obey(self, command):
        jid = command.get("jid")
        match command["do"]:
            case "subscribe":
                self.send_presence_subscription(pto=jid, ptype="subscribe")
            case "accept":
                self.send_presence_subscription(pto=jid, ptype="subscribed")
            case "send":
                self.send_message(mto=jid, mbody=command["text"], mtype="chat")
            case "presence":
                show = command["show"]
                self.send_presence(pshow=None if show == "available" else show)
            case "ping":
                await self.ping_server(command["id"])
            case other:
                raise ValueError(f"no such command: {other}")


async def main():
    client = Client(*sys.argv[1:7])
    emit("hello", client="slixmpp", version=slixmpp.__version__, cannot=[])
    client.connect(*client.address)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        if command["do"] == "quit":
            break
        await client.obey(command)
    client.leaving = True
    await client.disconnect()


logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
asyncio.run(main())
