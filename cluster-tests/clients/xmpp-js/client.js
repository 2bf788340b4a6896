// An @xmpp/client driven over standard input and output; ../README.md describes the exchange.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { client, jid as parseJid, xml } from "@xmpp/client";

const [host, port, address, password, , tls] = process.argv.slice(2);
const subscriptions = new Set(["subscribe", "subscribed", "unsubscribe", "unsubscribed"]);
const emit = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

// The trust anchors are read by Node itself, which the harness points at CA_FILE by NODE_EXTRA_CA_CERTS.
const own = parseJid(address);
const xmpp = client({
  service: `${tls === "direct" ? "xmpps" : "xmpp"}://${host}:${port}`,
  domain: own.domain,
  username: own.local,
  resource: own.resource || undefined,
  password,
});
// For one step of the negotiation: a busy machine may need more than the two seconds that are usual.
xmpp.timeout = 30_000;
let leaving = false;

// Not by xmpp.iqCaller: the results that it takes are missing from the client's count of handled stanzas, so that after
// a resumption the server rightly sends as many stanzas again.
const ask = (id, to, payload) => xmpp.send(xml("iq", { type: "get", id, to }, payload));

xmpp.on("error", (error) => process.stderr.write(`${error.stack}\n`));
xmpp.on("element", (element) => process.stderr.write(`<- ${element}\n`));
xmpp.on("send", (element) => process.stderr.write(`-> ${element}\n`));
// Not at "online", which comes before stream management is enabled: the answer to a stanza sent so early may come in
// one packet with <enabled/>, is then counted as handled after it, and a server ends a stream that acknowledges too many.
xmpp.on("nonza", async (element) => {
  if (!element.is("enabled", "urn:xmpp:sm:3")) return;
  await ask("driver-roster", undefined, xml("query", { xmlns: "jabber:iq:roster" }));
  await xmpp.send(xml("presence"));
  await ask("driver-online", own.domain, xml("ping", { xmlns: "urn:xmpp:ping" }));
});
xmpp.on("disconnect", () => leaving || emit("disconnected"));
xmpp.streamManagement.on("resumed", () => emit("resumed"));
xmpp.on("stanza", (stanza) => {
  const { from, id, type } = stanza.attrs;
  const body = stanza.getChildText("body");
  if (stanza.is("iq") && id === "driver-online") {
    emit("online", { jid: String(xmpp.jid) });
  } else if (stanza.is("iq") && id.startsWith("ping-")) {
    emit("pong", { id: id.slice(5) });
  } else if (stanza.is("message") && body) {
    emit("message", { from, body });
  } else if (stanza.is("presence") && subscriptions.has(type)) {
    emit("subscription", { from, type });
  } else if (stanza.is("presence")) {
    emit("presence", { from, show: type ?? stanza.getChildText("show") ?? "available" });
  }
});
xmpp.iqCallee.set("jabber:iq:roster", "query", () => true);

const commands = {
  subscribe: ({ jid }) => xmpp.send(xml("presence", { to: jid, type: "subscribe" })),
  accept: ({ jid }) => xmpp.send(xml("presence", { to: jid, type: "subscribed" })),
  send: ({ jid, text }) => xmpp.send(xml("message", { to: jid, type: "chat" }, xml("body", {}, text))),
  presence: ({ show }) => xmpp.send(xml("presence", {}, show === "available" ? null : xml("show", {}, show))),
  ping: ({ id }) => ask(`ping-${id}`, own.domain, xml("ping", { xmlns: "urn:xmpp:ping" })),
};

const { version } = createRequire(import.meta.url)("@xmpp/client/package.json");
// Its send() fails while there is no connection.
emit("hello", { client: "@xmpp/client", version, cannot: ["send offline"] });
xmpp.start().catch((error) => emit("error", { text: String(error) }));
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === "quit") break;
  await commands[command.do](command);
}
leaving = true;
await xmpp.stop();
process.exit(0);
