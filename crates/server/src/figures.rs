//! What has happened since the process began, as metrics.

use stentor_http::{Kind, Metric};
use stentor_runtime::{Administration, Figure};

/// A metric's name, what it is, the label of its samples, and these: the label's value, and what is counted.
type Row = (&'static str, &'static str, Option<&'static str>, &'static [(&'static str, Figure)]);

const ROWS: &[Row] = &[
    (
        "stentor_stanzas_received_total",
        "Stanzas from clients",
        Some("kind"),
        &[
            ("message", Figure::MessagesReceived),
            ("presence", Figure::PresenceReceived),
            ("iq", Figure::IqReceived),
        ],
    ),
    (
        "stentor_stanzas_sent_total",
        "Stanzas to clients",
        Some("kind"),
        &[("message", Figure::MessagesSent), ("presence", Figure::PresenceSent), ("iq", Figure::IqSent)],
    ),
    (
        "stentor_authentications_total",
        "Attempts of clients to prove who they are",
        Some("outcome"),
        &[("succeeded", Figure::Authenticated), ("failed", Figure::NotAuthenticated)],
    ),
    ("stentor_resources_bound_total", "Resources that were bound", None, &[("", Figure::Bound)]),
    (
        "stentor_resumptions_total",
        "Streams that clients asked for again",
        Some("outcome"),
        &[("resumed", Figure::Resumed), ("failed", Figure::NotResumed)],
    ),
    (
        "stentor_events_refused_total",
        "Events for which there was no room; whoever sent one was told",
        None,
        &[("", Figure::Refused)],
    ),
    (
        "stentor_store_write_sets_total",
        "Write sets that the store has taken or refused",
        Some("outcome"),
        &[
            ("committed", Figure::Committed),
            ("conflicting", Figure::Conflicting),
            ("fenced", Figure::Fenced),
            ("failed", Figure::Failed),
        ],
    ),
];

const OF_CLUSTER: &[Row] = &[
    (
        "stentor_cluster_events_total",
        "Events and messages to and from other members; the stale were said by an owner of before, and dropped",
        Some("way"),
        &[("sent", Figure::SentToMembers), ("taken", Figure::TakenFromMembers), ("stale", Figure::Stale)],
    ),
    (
        "stentor_cluster_effects_withheld_total",
        "Effects that were held back since this member's lease was over",
        None,
        &[("", Figure::Withheld)],
    ),
    (
        "stentor_cluster_effects_released_total",
        "Of these, those that left since the lease goes on",
        None,
        &[("", Figure::Released)],
    ),
];

/// All of them; those of a cluster only if this is a member.
pub(crate) fn metrics(administration: &Administration, is_member: bool) -> Vec<Metric> {
    let rows = ROWS.iter().chain(OF_CLUSTER.iter().filter(|_| is_member));
    rows.map(|(name, help, label, figures)| Metric {
        name,
        help,
        kind: Kind::Counter,
        samples: figures
            .iter()
            .map(|(value, figure)| {
                let label = label.map(|label| (label, (*value).to_owned()));
                (label, administration.figure(*figure) as f64)
            })
            .collect(),
    })
    .collect()
}
