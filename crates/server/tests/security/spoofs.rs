//! Section F: stanzas that pretend to be somebody's, and answers that nobody asked for.

use crate::Row;
use crate::client::Client;
use crate::server::{Server, address};

pub(crate) const ROWS: &[Row] = &[
    ("S102 answers that nobody asked for", unasked_answers),
    ("S102 S103 ids that are ours", ids_of_ours),
    ("S103 forged carbons", forged_carbons),
    ("S118 whose own requests they are", own_requests),
];

/// The server's own requests are pushes and pings. What they are answered with changes nothing: a push is done when it
/// is sent, and by a ping only the stream that it went out on is heard (`process.rs` has that).
fn unasked_answers(server: &Server) {
    let from = address("S102");
    server.account("s102@example.org");
    server.account("mallory102@example.org");
    let mut victim = Client::online(server, from, "s102@example.org/a");
    victim.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    victim.until("</iq>");
    let mut mallory = Client::online(server, from, "mallory102@example.org/a");
    let items = "<query xmlns='jabber:iq:roster'><item jid='evil@example.org'/></query>";
    for kind in ["result", "error"] {
        // RFC 6121 8.5.2.1.3, 8.5.1: to an account or to the server, an answer goes nowhere and is not answered.
        for to in ["s102@example.org", "example.org", "nobody102@example.org"] {
            mallory.send(&format!("<iq type='{kind}' id='r' to='{to}'>{items}</iq>"));
        }
        // 8.5.3.1: to a client it is passed on, with its sender's address, by which the client tells that it did not
        // ask there.
        mallory.send(&format!("<iq type='{kind}' id='r' to='s102@example.org/a'>{items}</iq>"));
        let got = victim.until("</iq>");
        assert!(got.contains("from='mallory102@example.org/a'"), "{got}");
        assert_eq!(got.matches("<iq").count(), 1, "{got}");
        // Nobody can leave the address out, or put another one in.
        let rest = mallory.settle();
        assert!(!rest.contains("<iq type='error'") && !rest.contains("evil"), "{rest}");
    }
    let rest = victim.settle();
    assert!(!rest.contains("evil"), "{rest}");
    victim.send("<iq type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = victim.until("id='r2'") + &victim.until(">");
    assert!(!roster.contains("evil"), "{roster}");
    // Its own answers, to nothing: not answered, and its stream goes on.
    for to in ["", " to='s102@example.org'", " to='example.org'"] {
        victim.send(&format!("<iq type='result' id='guess'{to}>{items}</iq>"));
        victim.send(&format!("<iq type='error' id='guess'{to}>{items}</iq>"));
    }
    let rest = victim.settle();
    assert!(!rest.contains("guess") && !rest.contains("evil"), "{rest}");
}

/// A client that compares ids alone is not to be fooled by counting: the ids of two streams' pushes have nothing in
/// common that another account could know.
fn ids_of_ours(server: &Server) {
    let from = address("S102 ids");
    server.account("ids102@example.org");
    let mut ids = Vec::new();
    for n in 0..3 {
        let mut client = Client::online(server, from, &format!("ids102@example.org/{n}"));
        client.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        client.until("id='r'");
        client.until(">");
        client.send(&format!(
            "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='c{n}@example.org'/></query></iq>"
        ));
        let mut push = client.until("<item");
        while !push.contains("type='set'") {
            push = client.until("<item");
        }
        assert!(!push.contains("from="), "a push is the account's own: {push}");
        let iq = push.rsplit("<iq").next().unwrap();
        ids.push(iq.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() >= 10), "{ids:?}");
}

/// XEP-0280 11: a client takes a copy only from its own bare address. That is one which nobody can send from, not even
/// the account's other clients; so what is forged arrives as what it is, the message of whoever wrote it.
fn forged_carbons(server: &Server) {
    let from = address("S103");
    for local in ["s103", "friend103", "mallory103"] {
        server.account(&format!("{local}@example.org"));
    }
    let mut victim = Client::online(server, from, "s103@example.org/a");
    let mut mallory = Client::online(server, from, "mallory103@example.org/a");
    let mut other = Client::online(server, from, "s103@example.org/b");
    victim.settle();
    let copied = |what: &str, prefix: &str| {
        let colon = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        let declared = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        format!(
            "<{colon}{what} {declared}='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <message xmlns='jabber:client' from='friend103@example.org/a' to='s103@example.org/a' type='chat'>\
             <body>send money</body></message></forwarded></{colon}{what}>"
        )
    };
    for what in ["sent", "received"] {
        for prefix in ["", "c"] {
            let text = copied(what, prefix);
            for to in ["s103@example.org/a", "s103@example.org"] {
                for (sender, full) in
                    [(&mut mallory, "mallory103@example.org/a"), (&mut other, "s103@example.org/b")]
                {
                    sender.send(&format!(
                        "<message to='{to}' type='chat' id='f'>{text}<body>f</body></message>"
                    ));
                    let got = victim.until("<body>f</body>");
                    let outer = got.split("<message").nth(1).unwrap().split('>').next().unwrap();
                    assert!(outer.contains(&format!("from='{full}'")), "{got}");
                    sender.settle();
                }
            }
        }
    }
    // Two addresses that a client may name as its own: its full one is put in their place.
    other.send(&format!(
        "<message from='s103@example.org' to='s103@example.org/a' type='chat'>{}<body>f</body></message>",
        copied("received", "")
    ));
    let got = victim.until("<body>f</body>");
    assert!(got.contains("from='s103@example.org/b'") && !got.contains("from='s103@example.org'"), "{got}");
    // Kept for who is away, it says the same.
    drop((victim, other));
    mallory.send(&format!(
        "<message to='s103@example.org' type='chat'>{}<body>late</body></message>",
        copied("sent", "")
    ));
    mallory.settle();
    let mut back = Client::bound(server, from, "s103@example.org/c");
    back.send("<presence/>");
    let got = back.until("<body>late</body>");
    let outer = got.rsplit("<message").nth(1).unwrap().split('>').next().unwrap();
    assert!(outer.contains("from='mallory103@example.org/a'"), "{got}");
    // There are no carbons yet: asked for, they are refused.
    back.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    let answer = back.until("id='on'") + &back.until("</iq>");
    assert!(answer.contains("type='error'") || answer.contains("service-unavailable"), "{answer}");
}

/// What an account may ask of itself it may ask whatever of its own addresses it names, or none; and what anybody else
/// asks reaches a client, if it does, as that one's: never without an address, nor from the account's own.
fn own_requests(server: &Server) {
    let from = address("S118");
    server.account("s118@example.org");
    server.account("mallory118@example.org");
    let mut owner = Client::online(server, from, "s118@example.org/a");
    let mut other = Client::online(server, from, "s118@example.org/b");
    let roster =
        |n: usize| format!("<query xmlns='jabber:iq:roster'><item jid='friend118-{n}@example.org'/></query>");
    let addresses = [("", ""), ("from", "s118@example.org"), ("from", "s118@example.org/a")];
    let mut n = 0;
    for to in ["", " to='s118@example.org'"] {
        for (name, jid) in addresses {
            n += 1;
            let from = if name.is_empty() { String::new() } else { format!(" {name}='{jid}'") };
            owner.send(&format!("<iq type='set' id='own'{from}{to}>{}</iq>", roster(n)));
            let answer = owner.until("id='own'") + &owner.until(">");
            assert!(answer.contains("type='result'"), "{from}{to}: {answer}");
        }
    }
    owner.send("<iq type='get' id='all'><query xmlns='jabber:iq:roster'/></iq>");
    let all = owner.until("id='all'") + &owner.until("</iq>");
    assert_eq!(all.matches("jid='friend118-").count(), n, "{all}");

    let befriend = ["user", "befriend", "s118@example.org", "mallory118@example.org"];
    assert!(server.command(&befriend).status.success());
    let mut mallory = Client::online(server, from, "mallory118@example.org/a");
    owner.settle();
    for privileged in [
        "<query xmlns='jabber:iq:roster'><item jid='evil@example.org' subscription='both'/></query>",
        "<query xmlns='jabber:iq:register'><username>s118</username><password>evil</password></query>",
        "<query xmlns='jabber:iq:register'><remove/></query>",
        "<query xmlns='jabber:iq:private'><x xmlns='urn:evil'/></query>",
        "<block xmlns='urn:xmpp:blocking'><item jid='evil@example.org'/></block>",
        "<enable xmlns='urn:xmpp:carbons:2'/>",
        "<prefs xmlns='urn:xmpp:mam:2' default='evil'/>",
        "<vCard xmlns='vcard-temp'><FN>evil</FN></vCard>",
    ] {
        for (sender, full) in [(&mut mallory, "mallory118@example.org/a"), (&mut other, "s118@example.org/b")]
        {
            sender.send(&format!("<iq type='set' id='p' to='s118@example.org/a'>{privileged}</iq>"));
            // Passed on or refused; if it is passed on, by its sender's full address.
            sender.settle();
            let got = owner.settle();
            for iq in got.split("<iq").skip(1).filter(|iq| iq.contains("id='p'")) {
                let tag = iq.split('>').next().unwrap();
                assert!(tag.contains(&format!("from='{full}'")), "{privileged}: {got}");
            }
        }
        mallory.send(&format!("<iq type='set' id='q' to='s118@example.org'>{privileged}</iq>"));
        let answer = mallory.until("id='q'") + &mallory.until(">");
        assert!(answer.contains("type='error'"), "{privileged}: {answer}");
        let got = owner.settle();
        assert!(!got.contains("evil"), "{privileged}: {got}");
        // Who names an address that is not its own is heard no more.
        for claimed in ["s118@example.org", "s118@example.org/a"] {
            let mut liar = Client::online(server, from, "mallory118@example.org/liar");
            liar.send(&format!(
                "<iq type='set' id='l' from='{claimed}' to='s118@example.org/a'>{privileged}</iq>"
            ));
            let end = liar.rest();
            assert!(end.contains("<invalid-from"), "{end}");
        }
        let got = owner.settle();
        assert!(!got.contains("id='l'"), "{privileged}: {got}");
    }
    // The account is what it was.
    owner.send("<iq type='get' id='still'><query xmlns='jabber:iq:roster'/></iq>");
    let still = owner.until("id='still'") + &owner.until("</iq>");
    assert!(!still.contains("evil"), "{still}");
    Client::authenticated(server, from, "s118@example.org");
}
