//! Section 3: subscriptions.

use crate::Result;
use crate::scene::Act::{LogsIn, Sends};
use crate::scene::{Scene, Step};

const JULIET: &[&str] = &["juliet/balcony", "juliet/chamber"];
const ROMEO: &[&str] = &["romeo/orchard", "romeo/garden"];

/// Nobody knows anybody.
const STORY: &[Step<'_>] = &[
    // To a full JID is to the bare JID (3.1.2).
    (
        "3.1.2, 3.1.3: a request",
        Sends("juliet/balcony", "<presence to='{romeo}/orchard' type='subscribe' id='1'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='none' ask='subscribe'/>"),
            (ROMEO, "<presence to='{romeo}' from='{juliet}' type='subscribe' id='1'/>"),
        ],
    ),
    (
        "A.3.1: a request once more",
        Sends("juliet/chamber", "<presence to='{romeo}' type='subscribe' id='2'/>"),
        &[],
    ),
    (
        "4.5.2: nobody is subscribed",
        Sends("romeo/garden", "<presence type='unavailable'/>"),
        &[(ROMEO, "<presence from='{romeo}/garden' type='unavailable'/>")],
    ),
    (
        "3.1.3: a request waits for whoever comes",
        Sends("romeo/garden", "<presence/>"),
        &[
            (ROMEO, "<presence from='{romeo}/garden'/>"),
            (&["romeo/garden"], "<presence from='{romeo}/orchard'/>"),
            (&["romeo/garden"], "<presence from='{juliet}' type='subscribe' id='1'/>"),
        ],
    ),
    (
        "3.1.5, 3.1.6: approval",
        Sends("romeo/garden", "<presence to='{juliet}' type='subscribed' id='3'/>"),
        &[
            (ROMEO, "<item jid='{juliet}' subscription='from'/>"),
            (JULIET, "<presence to='{juliet}' from='{romeo}' type='subscribed' id='3'/>"),
            (JULIET, "<item jid='{romeo}' subscription='to'/>"),
            (JULIET, "<presence from='{romeo}/orchard'/>"),
            (JULIET, "<presence from='{romeo}/garden'/>"),
        ],
    ),
    (
        "A.2.2: an approval once more",
        Sends("romeo/orchard", "<presence to='{juliet}' type='subscribed'/>"),
        &[],
    ),
    (
        "4.4.2: to who is subscribed",
        Sends("romeo/orchard", "<presence><show>dnd</show></presence>"),
        &[
            (ROMEO, "<presence from='{romeo}/orchard'><show>dnd</show></presence>"),
            (JULIET, "<presence to='{juliet}' from='{romeo}/orchard'><show>dnd</show></presence>"),
        ],
    ),
    (
        "4.4.2: and to nobody else",
        Sends("juliet/chamber", "<presence><show>xa</show></presence>"),
        &[(JULIET, "<presence from='{juliet}/chamber'><show>xa</show></presence>")],
    ),
    (
        "3.1.2, 3.1.3: a request the other way",
        Sends("romeo/orchard", "<presence to='{juliet}' type='subscribe'/>"),
        &[
            (ROMEO, "<item jid='{juliet}' subscription='from' ask='subscribe'/>"),
            (JULIET, "<presence from='{romeo}' type='subscribe'/>"),
        ],
    ),
    (
        "3.1.5, 3.1.6: approval of both",
        Sends("juliet/chamber", "<presence to='{romeo}' type='subscribed'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='both'/>"),
            (ROMEO, "<presence from='{juliet}' type='subscribed'/>"),
            (ROMEO, "<item jid='{juliet}' subscription='both'/>"),
            (ROMEO, "<presence from='{juliet}/balcony'/>"),
            (ROMEO, "<presence from='{juliet}/chamber'><show>xa</show></presence>"),
        ],
    ),
    (
        "3.3.2, 3.3.3: who is subscribed unsubscribes",
        Sends("juliet/balcony", "<presence to='{romeo}' type='unsubscribe'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='from'/>"),
            (ROMEO, "<presence from='{juliet}' type='unsubscribe'/>"),
            (ROMEO, "<item jid='{juliet}' subscription='to'/>"),
            (JULIET, "<presence from='{romeo}/orchard' type='unavailable'/>"),
            (JULIET, "<presence from='{romeo}/garden' type='unavailable'/>"),
        ],
    ),
    (
        "3.2.2, 3.2.3: a subscription is cancelled",
        Sends("juliet/chamber", "<presence to='{romeo}' type='unsubscribed'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='none'/>"),
            (ROMEO, "<presence from='{juliet}/balcony' type='unavailable'/>"),
            (ROMEO, "<presence from='{juliet}/chamber' type='unavailable'/>"),
            (ROMEO, "<presence from='{juliet}' type='unsubscribed'/>"),
            (ROMEO, "<item jid='{juliet}' subscription='none'/>"),
        ],
    ),
    (
        "3.1.2, 3.1.3: a request that will be denied",
        Sends("juliet/balcony", "<presence to='{romeo}' type='subscribe'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='none' ask='subscribe'/>"),
            (ROMEO, "<presence from='{juliet}' type='subscribe'/>"),
        ],
    ),
    (
        "3.2.2, 3.2.3: a denial",
        Sends("romeo/orchard", "<presence to='{juliet}' type='unsubscribed'/>"),
        &[
            (ROMEO, "<item jid='{juliet}' subscription='none'/>"),
            (JULIET, "<presence from='{romeo}' type='unsubscribed'/>"),
            (JULIET, "<item jid='{romeo}' subscription='none'/>"),
        ],
    ),
    (
        "3.1.2, 3.1.3: a request that will be withdrawn",
        Sends("juliet/balcony", "<presence to='{romeo}' type='subscribe'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='none' ask='subscribe'/>"),
            (ROMEO, "<presence from='{juliet}' type='subscribe'/>"),
        ],
    ),
    (
        "3.3.2, A.3.3: a request is withdrawn",
        Sends("juliet/chamber", "<presence to='{romeo}' type='unsubscribe'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='none'/>"),
            (ROMEO, "<presence from='{juliet}' type='unsubscribe'/>"),
        ],
    ),
    (
        "3.4.2: approval before a request",
        Sends("romeo/garden", "<presence to='{juliet}' type='subscribed'/>"),
        &[(ROMEO, "<item jid='{juliet}' subscription='none' approved='true'/>")],
    ),
    (
        "3.4.2: a request that was approved before",
        Sends("juliet/balcony", "<presence to='{romeo}' type='subscribe'/>"),
        &[
            (JULIET, "<item jid='{romeo}' subscription='none' ask='subscribe'/>"),
            (ROMEO, "<item jid='{juliet}' subscription='from'/>"),
            (JULIET, "<presence from='{romeo}' type='subscribed'/>"),
            (JULIET, "<item jid='{romeo}' subscription='to'/>"),
            (JULIET, "<presence from='{romeo}/orchard'><show>dnd</show></presence>"),
            (JULIET, "<presence from='{romeo}/garden'/>"),
        ],
    ),
    (
        "3.4.2: approval before a request, the other way",
        Sends("juliet/chamber", "<presence to='{romeo}' type='subscribed'/>"),
        &[(JULIET, "<item jid='{romeo}' subscription='to' approved='true'/>")],
    ),
    (
        "3.4.2: that is cancelled unseen",
        Sends("juliet/balcony", "<presence to='{romeo}' type='unsubscribed'/>"),
        &[(JULIET, "<item jid='{romeo}' subscription='to'/>")],
    ),
    (
        "2.5.2: a contact is removed, and the subscription with it",
        Sends(
            "juliet/balcony",
            "<iq type='set' id='4'><query xmlns='jabber:iq:roster'><item jid='{romeo}' subscription='remove'/></query>\
             </iq>",
        ),
        &[
            (JULIET, "<item jid='{romeo}' subscription='remove'/>"),
            (&["juliet/balcony"], "<iq type='result' id='4'/>"),
            (ROMEO, "<presence from='{juliet}' type='unsubscribe'/>"),
            (ROMEO, "<item jid='{juliet}' subscription='none'/>"),
            (JULIET, "<presence from='{romeo}/orchard' type='unavailable'/>"),
            (JULIET, "<presence from='{romeo}/garden' type='unavailable'/>"),
        ],
    ),
];

/// Either is away when the other one asks or answers.
const ABSENT: &[Step<'_>] = &[
    (
        "3.1.3: a request to who is not there",
        Sends(
            "juliet/balcony",
            "<presence to='{romeo}' type='subscribe' id='5'><status>it is me</status></presence>",
        ),
        &[(JULIET, "<item jid='{romeo}' subscription='none' ask='subscribe'/>")],
    ),
    ("3.1.3: not before presence", LogsIn("romeo/orchard"), &[]),
    (
        "3.1.3: it waited, whole",
        Sends("romeo/orchard", "<presence/>"),
        &[
            (&["romeo/orchard"], "<presence from='{romeo}/orchard'/>"),
            (
                &["romeo/orchard"],
                "<presence from='{juliet}' type='subscribe' id='5'><status>it is me</status></presence>",
            ),
        ],
    ),
];

/// Who asked has gone since.
const ANSWERED: &[Step<'_>] = &[
    (
        "3.1.5: approval of who is not there",
        Sends("romeo/orchard", "<presence to='{juliet}' type='subscribed'/>"),
        &[],
    ),
    ("3.1.6: not before presence", LogsIn("juliet/chamber"), &[]),
    (
        "3.1.6, 2.2: the roster tells it",
        Sends("juliet/chamber", "<iq type='get' id='6'><query xmlns='jabber:iq:roster'/></iq>"),
        &[(
            &["juliet/chamber"],
            "<iq type='result' id='6'><query><item jid='{romeo}' subscription='to'/></query></iq>",
        )],
    ),
    (
        "4.3.1, 4.3.2: a probe is answered",
        Sends("juliet/chamber", "<presence/>"),
        &[
            (&["juliet/chamber"], "<presence from='{juliet}/chamber'/>"),
            (&["juliet/chamber"], "<presence to='{juliet}/chamber' from='{romeo}/orchard'/>"),
        ],
    ),
];

pub(crate) fn play(scene: &mut Scene<'_>) -> Result {
    JULIET.iter().chain(ROMEO).try_for_each(|client| scene.is_online(client))?;
    scene.play(STORY)?;
    ROMEO.iter().try_for_each(|client| scene.has_left(client))?;
    scene.play(ABSENT)?;
    JULIET.iter().try_for_each(|client| scene.has_left(client))?;
    scene.play(ANSWERED)
}
