//! Section 4: presence.

use crate::Result;
use crate::scene::Act::{Leaves, LogsIn, Sends};
use crate::scene::{Scene, Step};

const JULIET: &[&str] = &["juliet/balcony", "juliet/chamber"];
const ROMEO: &[&str] = &["romeo/orchard", "romeo/garden"];

/// Juliet and Romeo are subscribed to each other; he is not there, and one client of hers is.
const STORY: &[Step<'_>] = &[
    ("4.2.2: not before presence", LogsIn("romeo/orchard"), &[]),
    (
        "4.2.2, 4.3: initial presence, and a probe",
        Sends("romeo/orchard", "<presence><show>away</show><priority>3</priority></presence>"),
        &[
            (&["romeo/orchard"], "<presence from='{romeo}/orchard'><show>away</show></presence>"),
            (&["romeo/orchard"], "<presence to='{romeo}/orchard' from='{juliet}/balcony'/>"),
            (
                &["juliet/balcony"],
                "<presence to='{juliet}' from='{romeo}/orchard'><show>away</show><priority>3</priority></presence>",
            ),
        ],
    ),
    ("4.2.2: another resource", LogsIn("juliet/chamber"), &[]),
    (
        "4.2.2: of the same account, which sees the first",
        Sends("juliet/chamber", "<presence><priority>-1</priority></presence>"),
        &[
            (JULIET, "<presence from='{juliet}/chamber'><priority>-1</priority></presence>"),
            (&["juliet/chamber"], "<presence from='{juliet}/balcony'/>"),
            (
                &["juliet/chamber"],
                "<presence to='{juliet}/chamber' from='{romeo}/orchard'><show>away</show></presence>",
            ),
            (&["romeo/orchard"], "<presence from='{juliet}/chamber'><priority>-1</priority></presence>"),
        ],
    ),
    (
        "4.4.2: presence changes, for all resources",
        Sends("romeo/orchard", "<presence><status>back</status></presence>"),
        &[
            (ROMEO_THERE, "<presence from='{romeo}/orchard'><status>back</status></presence>"),
            (JULIET, "<presence to='{juliet}' from='{romeo}/orchard'><status>back</status></presence>"),
        ],
    ),
    (
        "4.7.2.3: a priority that is none",
        Sends("romeo/orchard", "<presence id='1'><priority>128</priority></presence>"),
        &[(
            ROMEO_THERE,
            "<presence type='error' id='1'><error type='modify'><bad-request/></error></presence>",
        )],
    ),
    (
        "4.3.2: a contact asks",
        Sends("romeo/orchard", "<presence to='{juliet}' type='probe'/>"),
        &[
            (ROMEO_THERE, "<presence to='{romeo}/orchard' from='{juliet}/balcony'/>"),
            (
                ROMEO_THERE,
                "<presence to='{romeo}/orchard' from='{juliet}/chamber'><priority>-1</priority></presence>",
            ),
        ],
    ),
    (
        "4.3.2: a contact asks about a resource",
        Sends("romeo/orchard", "<presence to='{juliet}/chamber' type='probe'/>"),
        &[(ROMEO_THERE, "<presence to='{romeo}/orchard' from='{juliet}/chamber'/>")],
    ),
    ("4.3.2: a stranger", LogsIn("nurse/hall"), &[]),
    (
        "4.3.2, A.3.4: asks, and its server alone hears that it may not",
        Sends("nurse/hall", "<presence to='{juliet}' type='probe'/>"),
        &[],
    ),
    (
        "4.6.3: presence for one resource",
        Sends("nurse/hall", "<presence to='{juliet}/balcony'><status>for you</status></presence>"),
        &[(
            &["juliet/balcony"],
            "<presence to='{juliet}/balcony' from='{nurse}/hall'><status>for you</status></presence>",
        )],
    ),
    (
        "4.6.3: presence for an account",
        Sends("nurse/hall", "<presence to='{romeo}'/>"),
        &[(ROMEO_THERE, "<presence to='{romeo}' from='{nurse}/hall'/>")],
    ),
    (
        "4.6.6: who had it may ask",
        Sends("juliet/balcony", "<presence to='{nurse}/hall' type='probe'/>"),
        &[(&["juliet/balcony"], "<presence to='{juliet}/balcony' from='{nurse}/hall'/>")],
    ),
    (
        "4.6.3: and gets nothing that is for all",
        Sends("nurse/hall", "<presence><show>dnd</show></presence>"),
        &[(&["nurse/hall"], "<presence from='{nurse}/hall'><show>dnd</show></presence>")],
    ),
    (
        "4.6.3: it is taken back from one",
        Sends("nurse/hall", "<presence to='{juliet}/balcony' type='unavailable'/>"),
        &[(&["juliet/balcony"], "<presence from='{nurse}/hall' type='unavailable'/>")],
    ),
    (
        "4.6.3: and from the other at the end",
        Leaves("nurse/hall"),
        &[(ROMEO_THERE, "<presence to='{romeo}' from='{nurse}/hall' type='unavailable'/>")],
    ),
    ("4.2.2: not before presence", LogsIn("romeo/garden"), &[]),
    (
        "4.2.2, 4.3: his other resource",
        Sends("romeo/garden", "<presence/>"),
        &[
            (ROMEO, "<presence from='{romeo}/garden'/>"),
            (JULIET, "<presence from='{romeo}/garden'/>"),
            (&["romeo/garden"], "<presence from='{romeo}/orchard'><status>back</status></presence>"),
            (&["romeo/garden"], "<presence to='{romeo}/garden' from='{juliet}/balcony'/>"),
            (&["romeo/garden"], "<presence to='{romeo}/garden' from='{juliet}/chamber'/>"),
        ],
    ),
    (
        "4.5.2: a resource says that it goes",
        Sends("romeo/orchard", "<presence type='unavailable'><status>bye</status></presence>"),
        &[
            (ROMEO, "<presence from='{romeo}/orchard' type='unavailable'><status>bye</status></presence>"),
            (JULIET, "<presence from='{romeo}/orchard' type='unavailable'><status>bye</status></presence>"),
        ],
    ),
    ("4.5.2: it has gone before", Leaves("romeo/orchard"), &[]),
    (
        "4.5.2: the other goes without a word",
        Leaves("romeo/garden"),
        &[(JULIET, "<presence from='{romeo}/garden' type='unavailable'/>")],
    ),
    (
        "4.3.2: nobody is there any more",
        Sends("juliet/balcony", "<presence to='{romeo}' type='probe'/>"),
        &[(
            &["juliet/balcony"],
            "<presence to='{juliet}/balcony' from='{romeo}' type='unavailable'><delay/></presence>",
        )],
    ),
    (
        "4.5.2: one of hers goes, and the other is told",
        Leaves("juliet/chamber"),
        &[(&["juliet/balcony"], "<presence from='{juliet}/chamber' type='unavailable'/>")],
    ),
];

const ROMEO_THERE: &[&str] = &["romeo/orchard"];

pub(crate) fn play(scene: &mut Scene<'_>) -> Result {
    scene.is_online("juliet/balcony")?;
    scene.is_online("romeo/orchard")?;
    for (one, other) in [("juliet/balcony", "{romeo}"), ("romeo/orchard", "{juliet}")] {
        scene.is_given(Sends(one, &format!("<presence to='{other}' type='subscribed'/>")))?;
    }
    for (one, other) in [("juliet/balcony", "{romeo}"), ("romeo/orchard", "{juliet}")] {
        scene.is_given(Sends(one, &format!("<presence to='{other}' type='subscribe'/>")))?;
    }
    scene.has_left("romeo/orchard")?;
    scene.play(STORY)
}
