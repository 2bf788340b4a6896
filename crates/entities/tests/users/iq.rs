//! What the server answers for itself and for accounts: XEP-0012, 0030, 0092, 0115, 0157, 0199, 0202.

use crate::{Scene, error};

const A: &str = "alice@a.example/x";
const B: &str = "bob@b.example/x";

/// The payload of a result, or type and condition of an error.
type Expected<'a> = Result<&'a str, (&'a str, &'a str)>;

#[track_caller]
fn check(scene: &mut Scene, to: &str, kind: &str, payload: &str, expected: Expected) {
    let (attribute, from) = if to.is_empty() {
        (String::new(), String::new())
    } else {
        (format!(" to='{to}'"), format!(" from='{to}'"))
    };
    scene.sends(A, &format!("<iq type='{kind}' id='1'{attribute}>{payload}</iq>"));
    let head = |kind: &str| format!("<iq to='alice@a.example/x'{from} type='{kind}' id='1'");
    let expected = match expected {
        Ok("") => format!("{}/>", head("result")),
        Ok(payload) => format!("{}>{payload}</iq>", head("result")),
        Err((kind, condition)) => error(&format!("{}>", head("error")), kind, condition),
    };
    scene.gets(A, &[&expected]);
}

const UNAVAILABLE: Expected = Err(("cancel", "service-unavailable"));
const NOT_ALLOWED: Expected = Err(("cancel", "not-allowed"));

#[test]
fn answers() {
    let rows: &[(&str, &str, &str, Expected)] = &[
        // XEP-0199 4.1, 4.2; a ping is asked, not set.
        ("", "get", "<ping xmlns='urn:xmpp:ping'/>", Ok("")),
        ("alice@a.example", "get", "<ping xmlns='urn:xmpp:ping'/>", Ok("")),
        ("a.example", "get", "<ping xmlns='urn:xmpp:ping'/>", Ok("")),
        ("b.example", "get", "<ping xmlns='urn:xmpp:ping'/>", Ok("")),
        ("a.example", "set", "<ping xmlns='urn:xmpp:ping'/>", NOT_ALLOWED),
        (
            "elsewhere.example",
            "get",
            "<ping xmlns='urn:xmpp:ping'/>",
            Err(("cancel", "remote-server-not-found")),
        ),
        // XEP-0092 2.
        (
            "a.example",
            "get",
            "<query xmlns='jabber:iq:version'/>",
            Ok("<query xmlns='jabber:iq:version'><name>Stentor</name><version>1.2.3</version></query>"),
        ),
        // XEP-0202 3.
        (
            "a.example",
            "get",
            "<time xmlns='urn:xmpp:time'/>",
            Ok("<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2023-11-14T22:13:20.000Z</utc></time>"),
        ),
        ("a.example", "set", "<time xmlns='urn:xmpp:time'/>", NOT_ALLOWED),
        // XEP-0012 5: since the server started.
        (
            "a.example",
            "get",
            "<query xmlns='jabber:iq:last'/>",
            Ok("<query xmlns='jabber:iq:last' seconds='3600'/>"),
        ),
        ("a.example", "set", "<query xmlns='jabber:iq:last'/>", NOT_ALLOWED),
        // 3: somebody is connected.
        ("", "get", "<query xmlns='jabber:iq:last'/>", Ok("<query xmlns='jabber:iq:last' seconds='0'/>")),
        // XEP-0030 3, 4.
        (
            "",
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
            Ok("<query xmlns='http://jabber.org/protocol/disco#info'>\
                <identity category='account' type='registered'/>…</query>"),
        ),
        (
            "",
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>",
            Err(("cancel", "item-not-found")),
        ),
        (
            "a.example",
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#items'/>",
            Ok("<query xmlns='http://jabber.org/protocol/disco#items'/>"),
        ),
        (
            "a.example",
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>",
            Err(("cancel", "item-not-found")),
        ),
        (
            "a.example",
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>",
            Err(("cancel", "item-not-found")),
        ),
        // RFC 3921's session, a no-op.
        ("", "set", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>", Ok("")),
        // RFC 6120 10.3.3: what nobody knows.
        ("", "get", "<anything xmlns='anything'/>", UNAVAILABLE),
        ("a.example", "set", "<anything xmlns='anything'/>", UNAVAILABLE),
    ];
    let mut scene = Scene::online(&[A]);
    for (to, kind, payload, expected) in rows {
        check(&mut scene, to, kind, payload, *expected);
    }
    for kind in ["result", "error"] {
        for to in ["", " to='a.example'", " to='alice@a.example'"] {
            scene.sends(A, &format!("<iq type='{kind}' id='1'{to}/>"));
            scene.gets(A, &[]);
        }
    }
}

/// XEP-0030 3, XEP-0157 2: each feature once; the addresses of the host.
#[test]
fn the_server_describes_itself() {
    let mut scene = Scene::online(&[A]);
    scene.sends(
        A,
        "<iq type='get' id='1' to='b.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    let got = scene.take(A).pop().unwrap();
    let features: Vec<&str> =
        got.split("<feature var='").skip(1).filter_map(|f| f.split('\'').next()).collect();
    for feature in [
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "jabber:iq:last",
        "jabber:iq:register",
        "jabber:iq:version",
        "msgoffline",
        "urn:xmpp:ping",
        "urn:xmpp:time",
    ] {
        assert_eq!(features.iter().filter(|other| **other == feature).count(), 1, "{feature}: {got}");
    }
    assert!(got.contains("<identity category='server' type='im' name='Stentor'/>"), "{got}");
    let form = "<x xmlns='jabber:x:data' type='result'>\
                <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>\
                <field var='abuse-addresses' type='list-multi'><value>mailto:abuse@a.example</value></field></x>";
    assert!(got.contains(form), "{got}");
}

/// XEP-0115 6.2, 6.3: the stream feature names a node, which stands for the same features.
#[test]
fn capabilities() {
    let host = stentor_entities::Host {
        domain: "a.example".into(),
        keep: true,
        contacts: vec![("abuse-addresses".to_owned(), vec!["mailto:abuse@a.example".to_owned()])],
        registration: false,
    };
    let caps = stentor_entities::server_caps(&host);
    assert_eq!(caps.attribute("hash"), Some("sha-1"));
    let node = format!("{}#{}", caps.attribute("node").unwrap(), caps.attribute("ver").unwrap());
    let mut scene = Scene::online(&[A]);
    let mut ask = |node: &str| {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#info'{node}/>");
        scene.sends(A, &format!("<iq type='get' id='1' to='a.example'>{query}</iq>"));
        scene.take(A).pop().unwrap()
    };
    let node = format!(" node='{node}'");
    assert_eq!(ask(&node).replace(&node, ""), ask(""));
    assert!(ask(&node).contains(&node));
}

/// XEP-0012 3: since when, and with what words, an account is away; to those who see its presence.
#[test]
fn last_activity() {
    let mut scene = Scene::online(&[A, B]);
    scene.befriends("alice@a.example", "bob@b.example");
    let ask = "<query xmlns='jabber:iq:last'/>";
    check(&mut scene, "bob@b.example", "get", ask, Ok("<query xmlns='jabber:iq:last' seconds='0'/>"));
    scene.sends(B, "<presence type='unavailable'><status>home</status></presence>");
    scene.closes(B);
    scene.clear();
    scene.passes(903);
    let away = Ok("<query xmlns='jabber:iq:last' seconds='903'>home</query>");
    check(&mut scene, "bob@b.example", "get", ask, away);
    scene.restarts();
    scene.come_online(&[A]);
    let away = Ok("<query xmlns='jabber:iq:last' seconds='904'>home</query>");
    check(&mut scene, "bob@b.example", "get", ask, away);
    scene.account("carol@b.example");
    check(&mut scene, "carol@b.example", "get", ask, UNAVAILABLE);
    check(&mut scene, "nobody@b.example", "get", ask, UNAVAILABLE);
}
