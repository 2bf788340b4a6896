//! Section 8: what becomes of a stanza at the account that it is for.

use crate::Result;
use crate::scene::Act::{LogsIn, Sends};
use crate::scene::{Comes, Scene, Step};

const ROMEO: &[&str] = &["romeo/orchard", "romeo/garden"];
const ORCHARD: &[&str] = &["romeo/orchard"];
const NURSE: &[&str] = &["nurse/hall"];

const TYPES: [&str; 5] = ["normal", "chat", "groupchat", "headline", "error"];

/// How the recipient is addressed, and what becomes of each of [`TYPES`]: `S` silently nothing, `E` an error, `O` kept, `D`
/// to the resource, `M` to all that take messages (table 1 of 8.5.4, in which they are the most available ones).
type Row<'a> = (&'a str, &'a str, &'a str);

const NOBODY: &[Row<'_>] = &[("8.5.2.2.1", "{romeo}", "OOESS"), ("8.5.3.2.1", "{romeo}/none", "EOESS")];

const CONNECTED: &[Row<'_>] = &[
    ("8.5.2.2.1", "{romeo}", "OOESS"),
    ("8.5.3.1", "{romeo}/orchard", "DDDDD"),
    ("8.5.3.2.1", "{romeo}/none", "EOESS"),
];

/// The only resource has a negative priority.
const NEGATIVE: &[Row<'_>] = CONNECTED;

/// Another one takes messages.
const MIXED: &[Row<'_>] = &[("8.5.2.1.1", "{romeo}", "MMEMS"), ("8.5.3.1", "{romeo}/orchard", "DDDDD")];

/// Both take messages.
const BOTH: &[Row<'_>] = &[
    ("8.5.2.1.1", "{romeo}", "MMEMS"),
    ("8.5.3.1", "{romeo}/orchard", "DDDDD"),
    ("8.5.3.2.1", "{romeo}/none", "EMESS"),
];

const ABSENT: &[Row<'_>] =
    &[("8.5.1", "nobody@chat.example", "EEESS"), ("8.5.1", "nobody@chat.example/none", "EEESS")];

/// What a message has that nobody keeps.
const UNKEPT: &[Step<'_>] = &[
    (
        "8.5.2.2.1, XEP-0334: not to be kept",
        Sends(
            "nurse/hall",
            "<message to='{romeo}' type='chat'><body>now or never</body><no-store xmlns='urn:xmpp:hints'/></message>",
        ),
        &[],
    ),
    (
        "8.5.2.2.1, XEP-0160: a chat state",
        Sends(
            "nurse/hall",
            "<message to='{romeo}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        ),
        &[],
    ),
];

/// Requests, answers and presence, to who is not there.
const OTHERS_NOBODY: &[Step<'_>] = &[
    (
        "8.5.2.2.3: the server answers for the account",
        Sends("nurse/hall", "<iq to='{romeo}' type='get' id='1'><query xmlns='jabber:iq:private'/></iq>"),
        &[(
            NURSE,
            "<iq from='{romeo}' type='error' id='1'><error type='cancel'><service-unavailable/></error></iq>",
        )],
    ),
    (
        "8.5.3.2.3: a request to nobody",
        Sends("nurse/hall", "<iq to='{romeo}/none' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>"),
        &[(
            NURSE,
            "<iq from='{romeo}/none' type='error' id='2'><error type='cancel'><service-unavailable/></error></iq>",
        )],
    ),
    (
        "8.5.3.2.3: an answer to nobody",
        Sends("nurse/hall", "<iq to='{romeo}/none' type='result' id='3'/>"),
        &[],
    ),
    ("8.5.2.2.2: presence to nobody", Sends("nurse/hall", "<presence to='{romeo}'/>"), &[]),
    ("8.5.3.2.2: presence to nobody", Sends("nurse/hall", "<presence to='{romeo}/none'/>"), &[]),
    (
        "8.5.1: a request to no account",
        Sends(
            "nurse/hall",
            "<iq to='nobody@chat.example' type='get' id='4'><ping xmlns='urn:xmpp:ping'/></iq>",
        ),
        &[(
            NURSE,
            "<iq from='nobody@chat.example' type='error' id='4'><error type='cancel'><service-unavailable/></error></iq>",
        )],
    ),
    ("8.5.1: presence to no account", Sends("nurse/hall", "<presence to='nobody@chat.example'/>"), &[]),
    (
        "8.5.1: a subscription to no account",
        Sends("nurse/hall", "<presence to='nobody@chat.example' type='unsubscribed'/>"),
        &[],
    ),
];

/// The same, to who is available with both resources.
const OTHERS: &[Step<'_>] = &[
    (
        "8.5.2.1.3: the server answers for the account",
        Sends("nurse/hall", "<iq to='{romeo}' type='get' id='1'><query xmlns='jabber:iq:private'/></iq>"),
        &[(
            NURSE,
            "<iq from='{romeo}' type='error' id='1'><error type='cancel'><service-unavailable/></error></iq>",
        )],
    ),
    (
        "8.5.2.1.2: presence",
        Sends("nurse/hall", "<presence to='{romeo}'/>"),
        &[(ROMEO, "<presence from='{nurse}/hall'/>")],
    ),
    (
        "8.5.3.1: presence",
        Sends("nurse/hall", "<presence to='{romeo}/orchard'><show>dnd</show></presence>"),
        &[(ORCHARD, "<presence to='{romeo}/orchard' from='{nurse}/hall'><show>dnd</show></presence>")],
    ),
    (
        "8.5.3.1: a request of a stranger",
        Sends("nurse/hall", "<iq to='{romeo}/orchard' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>"),
        &[(
            NURSE,
            "<iq from='{romeo}/orchard' type='error' id='2'><error type='cancel'><service-unavailable/></error></iq>",
        )],
    ),
    (
        "8.5.3.1: a request of who was shown presence",
        Sends("romeo/orchard", "<iq to='{nurse}/hall' type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>"),
        &[(NURSE, "<iq to='{nurse}/hall' from='{romeo}/orchard' type='get' id='3'><ping/></iq>")],
    ),
    (
        "8.5.3.1: its answer",
        Sends("nurse/hall", "<iq to='{romeo}/orchard' type='result' id='3'/>"),
        &[(ORCHARD, "<iq to='{romeo}/orchard' from='{nurse}/hall' type='result' id='3'/>")],
    ),
    (
        "8.5.2.1.1, XEP-0334: not to be kept",
        Sends(
            "nurse/hall",
            "<message to='{romeo}' type='chat'><body>now</body><no-store xmlns='urn:xmpp:hints'/></message>",
        ),
        &[(ROMEO, "<message from='{nurse}/hall' type='chat'><body>now</body></message>")],
    ),
    (
        "8.1.1: to nobody is to oneself",
        Sends("romeo/garden", "<message type='chat'><body>to me</body></message>"),
        &[(ROMEO, "<message to='{romeo}' from='{romeo}/garden' type='chat'><body>to me</body></message>")],
    ),
];

/// Sends a message of each type to each of these; `takers` have those that are for all. Tells what was kept.
fn messages(scene: &mut Scene<'_>, rows: &[Row<'_>], takers: &[&str]) -> Result<Vec<String>> {
    let mut kept = Vec::new();
    for (section, to, letters) in rows {
        for (kind, letter) in TYPES.iter().zip(letters.chars()) {
            let body = format!("<body>{kind} to {to}</body>");
            // What is wrong with nothing.
            let error = match *kind {
                "error" => "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
                _ => "",
            };
            // RFC 6121 5.2.2: of this type by default, so it is left out.
            let of_kind = if *kind == "normal" { String::new() } else { format!(" type='{kind}'") };
            let sent = format!("<message to='{to}'{of_kind} id='1'>{body}{error}</message>");
            let delivered =
                format!("<message to='{to}' from='{{nurse}}/hall'{of_kind} id='1'>{body}</message>");
            let refused = format!(
                "<message to='{{nurse}}/hall' from='{to}' type='error' id='1'><error type='cancel'><service-unavailable/>\
                 </error></message>"
            );
            let comes: &[Comes<'_>] = match letter {
                'M' => &[(takers, &delivered)],
                'D' => &[(ORCHARD, &delivered)],
                'E' => &[(NURSE, &refused)],
                _ => &[],
            };
            let section = format!("{section}, table 1: {kind} to {to}");
            scene.step(&(&section, Sends("nurse/hall", &sent), comes))?;
            if letter == 'O' {
                kept.push(delivered.replace("</message>", "<delay/></message>"));
            }
        }
    }
    Ok(kept)
}

/// He takes messages again, and gets what was kept, once and in order.
fn takes(scene: &mut Scene<'_>, client: &str, others: &[&str], kept: &[String]) -> Result {
    let own = "<presence from='{romeo}/orchard'/>";
    let all = [&[client], others].concat();
    let mut comes: Vec<Comes<'_>> = vec![(&all, own)];
    let client = [client];
    comes.extend(kept.iter().map(|message| (&client[..], &**message)));
    scene.step(&("8.5.2.2.1, XEP-0160: what was kept", Sends(client[0], "<presence/>"), &comes))
}

pub(crate) fn play(scene: &mut Scene<'_>) -> Result {
    scene.is_given(LogsIn("nurse/hall"))?;
    messages(scene, ABSENT, &[])?;
    let mut kept = messages(scene, NOBODY, &[])?;
    scene.play(UNKEPT)?;
    scene.play(OTHERS_NOBODY)?;
    scene.step(&("8.5.2.2.1: not to who is only connected", LogsIn("romeo/orchard"), &[]))?;
    kept.extend(messages(scene, CONNECTED, &[])?);
    takes(scene, "romeo/orchard", &[], &kept)?;

    scene.is_given(Sends("romeo/orchard", "<presence><priority>-1</priority></presence>"))?;
    let kept = messages(scene, NEGATIVE, &[])?;
    takes(scene, "romeo/orchard", &[], &kept)?;

    scene.is_given(LogsIn("romeo/garden"))?;
    scene.is_given(Sends("romeo/garden", "<presence><priority>5</priority></presence>"))?;
    scene.is_given(Sends("romeo/orchard", "<presence><priority>-1</priority></presence>"))?;
    messages(scene, MIXED, &["romeo/garden"])?;
    takes(scene, "romeo/orchard", &["romeo/garden"], &[])?;
    messages(scene, BOTH, ROMEO)?;
    scene.play(OTHERS)
}
