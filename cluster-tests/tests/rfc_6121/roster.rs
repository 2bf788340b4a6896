//! Section 2: the roster.

use crate::Result;
use crate::scene::Act::{LogsIn, Sends};
use crate::scene::{Scene, Step};

const JULIET: &[&str] = &["juliet/balcony", "juliet/chamber"];

/// Two clients, of which the first has asked for the roster, and neither is available.
const STORY: &[Step<'_>] = &[
    (
        "2.3.2, 2.1.6: a contact is added, and pushed to who asked for the roster",
        Sends(
            "juliet/chamber",
            "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='{nurse}'/></query></iq>",
        ),
        &[
            (&["juliet/balcony"], "<item jid='{nurse}' subscription='none'/>"),
            (&["juliet/chamber"], "<iq type='result' id='1'/>"),
        ],
    ),
    (
        "2.2: the roster",
        Sends("juliet/chamber", "<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>"),
        &[(
            &["juliet/chamber"],
            "<iq type='result' id='2'><query><item jid='{nurse}' subscription='none'/></query></iq>",
        )],
    ),
    (
        "2.4: a name and a group, pushed to all",
        Sends(
            "juliet/balcony",
            "<iq type='set' id='3'><query xmlns='jabber:iq:roster'><item jid='{nurse}' name='Angelica'>\
             <group>servants</group></item></query></iq>",
        ),
        &[
            (
                JULIET,
                "<item jid='{nurse}' name='Angelica' subscription='none'><group>servants</group></item>",
            ),
            (&["juliet/balcony"], "<iq type='result' id='3'/>"),
        ],
    ),
    (
        "2.3.3: not oneself",
        Sends(
            "juliet/balcony",
            "<iq type='set' id='4'><query xmlns='jabber:iq:roster'><item jid='{juliet}'/></query></iq>",
        ),
        &[(&["juliet/balcony"], "<iq type='error' id='4'><error type='cancel'><not-allowed/></error></iq>")],
    ),
    (
        "2.1.5: not two at once",
        Sends(
            "juliet/chamber",
            "<iq type='set' id='5'><query xmlns='jabber:iq:roster'><item jid='{romeo}'/><item jid='{nurse}'/></query></iq>",
        ),
        &[(&["juliet/chamber"], "<iq type='error' id='5'><error type='modify'><bad-request/></error></iq>")],
    ),
    ("2.1.5: a stranger", LogsIn("nurse/hall"), &[]),
    (
        "2.1.5: has no say",
        Sends(
            "nurse/hall",
            "<iq type='set' to='{juliet}' id='6'><query xmlns='jabber:iq:roster'><item jid='{nurse}'/></query></iq>",
        ),
        &[(&["nurse/hall"], "<iq type='error' from='{juliet}' id='6'/>")],
    ),
    (
        "2.1.6: nor pushes",
        Sends(
            "nurse/hall",
            "<iq type='set' to='{juliet}/balcony' id='7'><query xmlns='jabber:iq:roster'><item jid='{nurse}'/></query>\
             </iq>",
        ),
        &[(&["nurse/hall"], "<iq type='error' from='{juliet}/balcony' id='7'/>")],
    ),
    (
        "2.5.2: a contact is removed",
        Sends(
            "juliet/chamber",
            "<iq type='set' id='8'><query xmlns='jabber:iq:roster'><item jid='{nurse}' subscription='remove'/></query>\
             </iq>",
        ),
        &[
            (JULIET, "<item jid='{nurse}' subscription='remove'/>"),
            (&["juliet/chamber"], "<iq type='result' id='8'/>"),
        ],
    ),
    (
        "2.5.3: who is not there",
        Sends(
            "juliet/balcony",
            "<iq type='set' id='9'><query xmlns='jabber:iq:roster'><item jid='{nurse}' subscription='remove'/></query>\
             </iq>",
        ),
        &[(
            &["juliet/balcony"],
            "<iq type='error' id='9'><error type='cancel'><item-not-found/></error></iq>",
        )],
    ),
    (
        "2.2: no roster but one's own",
        Sends("juliet/balcony", "<iq type='get' to='{nurse}' id='10'><query xmlns='jabber:iq:roster'/></iq>"),
        &[(&["juliet/balcony"], "<iq type='error' from='{nurse}' id='10'/>")],
    ),
];

pub(crate) fn play(scene: &mut Scene<'_>) -> Result {
    scene.is_given(LogsIn("juliet/balcony"))?;
    scene
        .is_given(Sends("juliet/balcony", "<iq type='get' id='0'><query xmlns='jabber:iq:roster'/></iq>"))?;
    scene.is_given(LogsIn("juliet/chamber"))?;
    scene.play(STORY)
}
