//! S010: what a client is sent, read as one document by the parsers that clients are made with. What another client
//! sent is in it as it was meant, and what the server writes of its own is well-formed with whatever it was given.

use roxmltree::Document;
use stentor_xml::{Frame, Framer, Limits};

use crate::Row;
use crate::client::Client;
use crate::programs::{PARSERS, line_of, read, takes};
use crate::said::{Said, roxmltree, walk};
use crate::scram::{self, Binding};
use crate::server::{PASSWORD, Server, address};
use crate::support::{HEADER, Random, damage, stanza};

pub(crate) const ROWS: &[Row] = &[
    ("S010 what is sent on, as clients read it", sent_on),
    ("S010 what is refused is not sent on", refused),
];

const STANZAS: u64 = 400;
const REFUSED: usize = 25;

/// Text that means something to one who forgets to escape it.
const ODD: &str = "&quot;&apos;&lt;a>&amp;]]&gt;&#10;&#9;&#13;\u{e9}\u{1F339}";

/// The support's header, to this server.
fn header() -> String {
    HEADER.replace(" to='a'", " to='example.org' version='1.0'")
}

/// A client that is bound, and all that it was sent since its stream began anew.
fn bound(server: &Server, local: &str) -> (Client, String) {
    let (mut client, _) = Client::starttls(server, address("S010"), "example.org");
    scram::run(&mut client, "SCRAM-SHA-256", local, PASSWORD, &Binding::None).unwrap();
    client.send(&header());
    let mut received = client.until("</stream:features>");
    received += &client.bind("a");
    (client, received)
}

fn end(client: &mut Client) -> String {
    let _ = client.send_bytes(b"</stream:stream>");
    client.rest()
}

/// A headline with anything in it, to this client itself.
fn headline(id: u64, content: &str) -> String {
    format!("<message to='s010@example.org/a' type='headline' id='{id}'>{content}</message>")
}

/// What our framer makes of it: nothing, if it is one whole element; else why not, if that is for all that could follow.
fn framed(text: &[u8]) -> Result<(), Option<stentor_xml::Error>> {
    let document = [header().as_bytes(), text].concat();
    let mut input = document.as_slice();
    let mut framer = Framer::new(Limits::CLIENT);
    framer.next(&mut input).expect("a header");
    match framer.next(&mut input) {
        Ok(Some(Frame::Element(_))) if input.is_empty() => Ok(()),
        Ok(_) => Err(None),
        Err(error) => Err(Some(error)),
    }
}

/// What is in the stanza with an id.
fn content(document: &Document<'_>, id: &str) -> Vec<Said> {
    let mut stanzas = document.root_element().children().filter(|child| child.is_element());
    let stanza = stanzas.find(|stanza| stanza.attribute("id") == Some(id));
    let mut said = Vec::new();
    walk(stanza.unwrap_or_else(|| panic!("no stanza {id}")), &mut said);
    // Its own tag has other addresses, and its prefixes are no concern of a reader's.
    said.remove(0);
    said
}

fn sent_on(server: &Server) {
    server.account("s010@example.org");
    for parser in PARSERS {
        let (mut client, mut received) = bound(server, "s010");
        let mut sent = Vec::new();
        for seed in 0..STANZAS {
            let text = headline(seed, &stanza(&mut Random::new(seed), false));
            // roxmltree, which is compared with, binds `xml` for attributes alone.
            if framed(text.as_bytes()).is_ok() && takes(parser, &text) && !text.contains("<xml:") {
                client.send(&text);
                sent.push((seed.to_string(), text));
            }
        }
        // Answers, a push and a broadcast, which are the server's own words about such text.
        for own in [
            format!("<iq type='get' id='{ODD}' to='example.org'><x xmlns='urn:x' y='{ODD}'>{ODD}</x></iq>"),
            format!("<iq type='get' id='{ODD}' to='s010@example.org/{ODD}'><x xmlns='urn:x'/></iq>"),
            format!("<iq type='get' id='1' to='{ODD}'><x xmlns='urn:x' y='{ODD}'/></iq>"),
            format!(
                "<iq type='get' id='1' to='example.org'>\
                 <query xmlns='http://jabber.org/protocol/disco#info' node='{ODD}'/></iq>"
            ),
            "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>".to_owned(),
            format!(
                "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>\
                 <item jid='friend@example.org' name='{ODD}'><group>{ODD}</group></item></query></iq>"
            ),
            format!("<presence><status>{ODD}</status></presence>"),
            format!("<message to='nobody10@example.org' type='chat' id='{ODD}'><body>{ODD}</body></message>"),
            format!("<message to='nobody@{ODD}' id='{ODD}'><body>{ODD}</body></message>"),
        ] {
            client.send(&own);
        }
        client.send("<iq type='get' id='last'><ping xmlns='urn:xmpp:ping'/></iq>");
        received += &client.until("id='last'");
        received += &end(&mut client);
        agree(parser, &received);

        let document = Document::parse(&received).unwrap();
        for (id, text) in &sent {
            let alone = format!("{}{text}</stream:stream>", header());
            let expected = content(&Document::parse(&alone).unwrap(), id);
            assert_eq!(content(&document, id), expected, "{text}");
        }
        println!("S010: {parser}: {} stanzas, {} bytes", sent.len(), received.len());
        assert!(sent.len() > 100, "{}", sent.len());
    }
}

/// The parser reads in a stream what roxmltree does.
fn agree(parser: &str, received: &str) {
    let expected = line_of(&roxmltree(received).unwrap_or_else(|| panic!("not well-formed: {received}")));
    match read(parser, &[received.to_owned()]) {
        Ok(lines) => assert_eq!(lines, [expected], "{parser} reads {received}"),
        Err(why) => println!("skipped: {parser}: {why}"),
    }
}

/// The end of a stream is well-formed, too, and has nothing of what ended it.
fn refused(server: &Server) {
    server.account("s010@example.org");
    let mut received = Vec::new();
    for seed in 0.. {
        let mut random = Random::new(seed);
        let mut text = headline(seed, &stanza(&mut random, true)).into_bytes();
        if seed % 3 == 0 {
            damage(&mut random, &mut text);
        }
        if !matches!(framed(&text), Err(Some(_))) {
            continue;
        }
        let (mut client, mut one) = bound(server, "s010");
        let _ = client.send_bytes(&text);
        one += &end(&mut client);
        let shown = String::from_utf8_lossy(&text);
        assert!(!one.contains("type='headline'"), "{shown}: {one}");
        assert!(one.ends_with("</stream:stream>"), "{shown}: {one}");
        received.push(one);
        if received.len() == REFUSED {
            break;
        }
    }
    for parser in PARSERS {
        received.iter().for_each(|one| assert!(roxmltree(one).is_some(), "not well-formed: {one}"));
        let expected: Vec<String> =
            received.iter().filter_map(|one| roxmltree(one)).map(|s| line_of(&s)).collect();
        match read(parser, &received) {
            Ok(lines) => assert_eq!(lines, expected, "{parser}"),
            Err(why) => println!("skipped: {parser}: {why}"),
        }
    }
}
