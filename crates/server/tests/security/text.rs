//! Section A: what text and the values of attributes may consist of, and how they are written.

use crate::Row;
use crate::client::{Client, header};
use crate::server::{Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S004 S006 characters", characters),
    ("S024 quoting", quoting),
    ("S024 quoting by operators", quoting_by_operators),
];

const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";

/// S004, S006: what is text, and what is no character.
fn characters(server: &Server) {
    server.account("xml@example.org");
    server.account("away6@example.org");
    let from = address("S006");
    let control: Vec<char> = (0..0x20_u8).map(char::from).filter(|c| !"\t\n\r".contains(*c)).collect();
    assert_eq!(control.len(), 29);
    for c in control {
        // To somebody for whom it would be kept.
        for content in [format!("<body>a{c}b</body>"), format!("<x xmlns='urn:x' a='{c}'/><body>x</body>")] {
            let mut user = Client::bound(server, from, "xml@example.org/a");
            let message = format!("<message to='away6@example.org' type='chat'>{content}</message>");
            let _ = user.send_bytes(message.as_bytes());
            let end = user.rest();
            assert!(end.contains("<not-well-formed") && end.ends_with("</stream:stream>"), "{c:?}: {end}");
        }
    }
    let mut user = Client::online(server, from, "xml@example.org/a");
    user.send(
        "<message to='away6@example.org' type='chat'><body>\u{7f}\t<![CDATA[<b>&e9;</body>]]>\u{9f}</body></message>",
    );
    user.settle();
    // Nothing was kept but what is legal, and CDATA says what it says.
    let mut away = Client::bound(server, from, "away6@example.org/a");
    away.send("<presence/>");
    let got = away.until("</message>") + &away.settle();
    assert_eq!(got.matches("<body").count(), 1, "{got}");
    let message = got.split_at(got.find("<message").unwrap()).1;
    let message = message.split_at(message.find("</message>").unwrap() + "</message>".len()).0;
    let read = roxmltree::Document::parse(message).unwrap();
    assert_eq!(read.root_element().text_storage_all(), "\u{7f}\t<b>&e9;</body>\u{9f}", "{message}");
}

/// In an attribute, or in text.
const ODD: &str = "&quot;&apos;&lt;&gt;&amp;&#10;";

fn quoting(server: &Server) {
    let from = address("S024");
    server.account("s024@example.org");
    let mut client = Client::online(server, from, "s024@example.org/a");
    let payload = "<x xmlns='urn:x' a='&quot;&apos;&lt;&gt;&amp;&#10;&#9;&#13;'>&lt;&gt;&amp;&quot;&apos;]]&gt;\
        <![CDATA[<b>&amp;]]>\u{e9}\u{1f600}\u{fffd}&#13;</x>";
    client.send(&format!("<message to='s024@example.org/a'>{payload}</message>"));
    let message = client.until("</message>");
    let sent = roxmltree::Document::parse(payload).unwrap();
    let is_as_sent = |message: &str| {
        let read = roxmltree::Document::parse(message.trim()).unwrap();
        let x = read.descendants().find(|node| node.has_tag_name(("urn:x", "x"))).unwrap();
        assert_eq!(x.text_storage_all(), sent.root_element().text_storage_all(), "{message}");
        assert_eq!(x.attribute("a"), sent.root_element().attribute("a"), "{message}");
    };
    is_as_sent(&message);
    // Kept for who is away, and on a roster.
    server.account("away24@example.org");
    client.send(&format!(
        "<message to='away24@example.org' type='chat'>{payload}<body>&lt;&amp;&quot;&#10;</body></message>"
    ));
    client.settle();
    let mut away = Client::bound(server, from, "away24@example.org/a");
    away.send("<presence/>");
    let waited = away.until("<body>") + &away.until("</message>");
    assert!(waited.contains("<body>&lt;&amp;\"\n<") || waited.contains("<body>&lt;&amp;&quot;"), "{waited}");
    is_as_sent(waited.split_at(waited.find("<message").unwrap()).1);
    away.send(&format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='a@b.example' name='{ODD}'><group>{ODD}</group></item></query></iq>"));
    away.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = away.until("id='g'") + &away.until("</iq>");
    let roster = roxmltree::Document::parse(roster.split_at(roster.rfind("<iq").unwrap()).1.trim()).unwrap();
    let item = roster.descendants().find(|node| node.has_tag_name(("jabber:iq:roster", "item"))).unwrap();
    assert_eq!(item.attribute("name"), Some("\"'<>&\n"));
    assert_eq!(item.text_storage_all(), "\"'<>&\n");
    // And in what the server writes of it by itself: an address in an error, an id.
    client.send("<iq type='get' id='&quot;&apos;&lt;&gt;&amp;&#10;' to='s024@example.org/a&quot;&amp;&apos;'><x xmlns='urn:x'/></iq>");
    let answer = client.until("</iq>");
    let read = roxmltree::Document::parse(answer.trim()).unwrap();
    assert_eq!(read.root_element().attribute("id"), Some("\"'<>&\n"), "{answer}");
}

/// S024: what operators are shown, and what they have a client told.
fn quoting_by_operators(server: &Server) {
    server.account("kicked24@example.org");
    let mut client = Client::authenticated(server, address("S024"), "kicked24@example.org");
    let bound = client.bind("&quot;&apos;&lt;&gt;&amp;]]&gt;\u{1f600}");
    assert!(bound.contains("<jid>"), "{bound}");
    let full = "kicked24@example.org/\"'<>&]]>\u{1f600}";
    let listed = server.told(&["session", "list", "--user", "kicked24@example.org"]);
    assert_eq!(listed[0]["jid"], full);
    let reason = "\"'<>&]]></text>\u{1}\u{fffe}\u{1f600}";
    assert!(server.command(&["session", "kick", full, "--reason", reason]).status.success());
    let stream = header("example.org") + &client.rest();
    let read = roxmltree::Document::parse(&stream).unwrap_or_else(|error| panic!("{error}: {stream}"));
    let text = read.descendants().find(|node| node.has_tag_name((STREAMS, "text"))).unwrap();
    // What is no character of XML has to be left out, or be another.
    let told: String = text.text_storage_all().chars().filter(|c| *c != '\u{fffd}').collect();
    assert_eq!(told, "\"'<>&]]></text>\u{1f600}", "{stream}");
}

trait TextStorage {
    fn text_storage_all(&self) -> String;
}

impl TextStorage for roxmltree::Node<'_, '_> {
    fn text_storage_all(&self) -> String {
        self.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
    }
}
