//! Presence subscriptions: the state machine of RFC 6121 section 3 and appendix A, with pre-approval (3.4), as
//! pure data. The stanzas, the roster and the record of pending requests are with the user; this says what is to
//! be done with them.
//!
//! Where section 3.3.3 and table 7 differ (an `unsubscribe` from a contact whose request is pending), the table
//! is followed. A pre-approval is used up by the request that it approves (3.4.2 leaves that open).

use stentor_xmpp::PresenceType;

/// The nine states (RFC 6121 A.1), from the user's perspective. `None` includes a contact who is not in the
/// roster at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// Neither is subscribed, neither has asked.
    #[default]
    None,
    /// The user has asked.
    NonePendingOut,
    /// The contact has asked.
    NonePendingIn,
    /// Both have asked.
    NonePendingOutIn,
    /// The user is subscribed to the contact.
    To,
    /// The user is subscribed, the contact has asked.
    ToPendingIn,
    /// The contact is subscribed to the user.
    From,
    /// The contact is subscribed, the user has asked.
    FromPendingOut,
    /// Both are subscribed.
    Both,
}

/// A user's relation to one contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Subscription {
    /// The state of appendix A.
    pub state: State,
    /// Whether the user approved a request that the contact has not made yet (3.4).
    pub approved: bool,
}

/// The presence types that manage subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionType {
    /// Asks for a subscription.
    Subscribe,
    /// Gives up a subscription, or a request.
    Unsubscribe,
    /// Approves a request, or pre-approves one.
    Subscribed,
    /// Denies a request, or cancels a subscription or a pre-approval.
    Unsubscribed,
}

/// Presence that follows a change of the contact's subscription, from each available resource of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Current presence, after the `subscribed` (3.1.5).
    Available,
    /// `unavailable`, before the `unsubscribed` (3.2.2, 3.3.3).
    Unavailable,
}

/// What becomes of a stanza that the user sent to a contact (A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// From now on.
    pub subscription: Subscription,
    /// Whether the stanza goes on to the contact, from the user's bare JID to the contact's.
    pub route: bool,
    /// Whether the roster item is pushed to the user's interested resources, after routing. It is created if
    /// [`Subscription::needs_item`]; without an item there is nothing to push.
    pub push: bool,
    /// What the contact is told besides.
    pub notify: Option<Notify>,
}

/// What becomes of a stanza that a contact sent to the user (A.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// From now on.
    pub subscription: Subscription,
    /// Whether the stanza is delivered: `subscribe` to the available resources (and kept whole until it is
    /// answered, 3.1.3), the others to the interested ones. This comes before the push.
    pub deliver: bool,
    /// As of [`Outbound`].
    pub push: bool,
    /// What is answered on behalf of the user, from bare JID to bare JID.
    pub reply: Option<SubscriptionType>,
    /// What the contact is told besides.
    pub notify: Option<Notify>,
}

impl State {
    /// All nine, in the order of A.1.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::NonePendingOut,
        Self::NonePendingIn,
        Self::NonePendingOutIn,
        Self::To,
        Self::ToPendingIn,
        Self::From,
        Self::FromPendingOut,
        Self::Both,
    ];

    /// Whether the user is subscribed to the contact.
    pub fn is_to(self) -> bool {
        matches!(self, Self::To | Self::ToPendingIn | Self::Both)
    }

    /// Whether the contact is subscribed to the user.
    pub fn is_from(self) -> bool {
        matches!(self, Self::From | Self::FromPendingOut | Self::Both)
    }

    /// Whether the user has asked the contact, who has not answered.
    pub fn is_pending_out(self) -> bool {
        matches!(self, Self::NonePendingOut | Self::NonePendingOutIn | Self::FromPendingOut)
    }

    /// Whether the contact has asked the user, who has not answered. No roster item shows it.
    pub fn is_pending_in(self) -> bool {
        matches!(self, Self::NonePendingIn | Self::NonePendingOutIn | Self::ToPendingIn)
    }

    /// Tables 2 to 5. Pre-approval is no change of the state.
    fn after_outbound(self, stanza: SubscriptionType) -> Self {
        use SubscriptionType as Type;
        match (stanza, self) {
            (Type::Subscribe, Self::None) => Self::NonePendingOut,
            (Type::Subscribe, Self::NonePendingIn) => Self::NonePendingOutIn,
            (Type::Subscribe, Self::From) => Self::FromPendingOut,
            (Type::Subscribed, Self::NonePendingIn) => Self::From,
            (Type::Subscribed, Self::NonePendingOutIn) => Self::FromPendingOut,
            (Type::Subscribed, Self::ToPendingIn) => Self::Both,
            (Type::Unsubscribe, _) => self.without_to(),
            (Type::Unsubscribed, _) => self.without_from(),
            (Type::Subscribe | Type::Subscribed, _) => self,
        }
    }

    /// Tables 6 to 9.
    fn after_inbound(self, stanza: SubscriptionType) -> Self {
        use SubscriptionType as Type;
        match (stanza, self) {
            (Type::Subscribe, Self::None) => Self::NonePendingIn,
            (Type::Subscribe, Self::NonePendingOut) => Self::NonePendingOutIn,
            (Type::Subscribe, Self::To) => Self::ToPendingIn,
            (Type::Subscribed, Self::NonePendingOut) => Self::To,
            (Type::Subscribed, Self::NonePendingOutIn) => Self::ToPendingIn,
            (Type::Subscribed, Self::FromPendingOut) => Self::Both,
            (Type::Unsubscribe, _) => self.without_from(),
            (Type::Unsubscribed, _) => self.without_to(),
            (Type::Subscribe | Type::Subscribed, _) => self,
        }
    }

    /// The user's subscription and request are gone.
    fn without_to(self) -> Self {
        match self {
            Self::NonePendingOut | Self::To => Self::None,
            Self::NonePendingOutIn | Self::ToPendingIn => Self::NonePendingIn,
            Self::FromPendingOut | Self::Both => Self::From,
            Self::None | Self::NonePendingIn | Self::From => self,
        }
    }

    /// The contact's subscription and request are gone.
    fn without_from(self) -> Self {
        match self {
            Self::NonePendingIn | Self::From => Self::None,
            Self::NonePendingOutIn | Self::FromPendingOut => Self::NonePendingOut,
            Self::ToPendingIn | Self::Both => Self::To,
            Self::None | Self::NonePendingOut | Self::To => self,
        }
    }
}

impl Subscription {
    /// The `subscription` attribute of the roster item (2.1.2.5).
    pub fn attribute(self) -> &'static str {
        match (self.state.is_to(), self.state.is_from()) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }

    /// Whether the roster item has `ask='subscribe'` (2.1.2.2).
    pub fn asks(self) -> bool {
        self.state.is_pending_out()
    }

    /// From what was stored: [`attribute`](Self::attribute), [`asks`](Self::asks), `approved`, and
    /// [`is_pending_in`](State::is_pending_in). A flag that says nothing beside the attribute is dropped. `None`
    /// for an unknown attribute.
    pub fn from_stored(attribute: &str, asks: bool, approved: bool, pending_in: bool) -> Option<Self> {
        let state = match (attribute, asks, pending_in) {
            ("none", false, false) => State::None,
            ("none", true, false) => State::NonePendingOut,
            ("none", false, true) => State::NonePendingIn,
            ("none", true, true) => State::NonePendingOutIn,
            ("to", _, false) => State::To,
            ("to", _, true) => State::ToPendingIn,
            ("from", false, _) => State::From,
            ("from", true, _) => State::FromPendingOut,
            ("both", _, _) => State::Both,
            _ => return None,
        };
        Some(Self { state, approved })
    }

    /// Whether it has something to show in a roster item. A pending inbound request alone creates none (3.1.3).
    pub fn needs_item(self) -> bool {
        self.attribute() != "none" || self.asks() || self.approved
    }

    /// The user sends `stanza` to the contact (A.2).
    pub fn outbound(self, stanza: SubscriptionType) -> Outbound {
        let state = self.state.after_outbound(stanza);
        let is_granted = state.is_from() && !self.state.is_from();
        let is_cancelled = self.state.is_from() && !state.is_from();
        let (route, approved) = match stanza {
            SubscriptionType::Subscribe | SubscriptionType::Unsubscribe => (true, self.approved),
            // 3.4.2: an approval of what was asked goes to the contact, one of what was not stays here.
            SubscriptionType::Subscribed => (is_granted, !state.is_from()),
            // 3.2.2: only what was asked or granted can be denied or cancelled; a pre-approval ends unseen.
            SubscriptionType::Unsubscribed => (state != self.state, false),
        };
        let subscription = Self { state, approved };
        // 3.2.2, 3: a denial is pushed too, although the item shows no difference.
        let is_denial = route && stanza == SubscriptionType::Unsubscribed;
        Outbound {
            subscription,
            route,
            push: subscription.shows_other_than(self) || is_denial,
            notify: match () {
                () if is_granted => Some(Notify::Available),
                () if is_cancelled => Some(Notify::Unavailable),
                () => None,
            },
        }
    }

    /// The contact sends `stanza` to the user (A.3).
    pub fn inbound(self, stanza: SubscriptionType) -> Inbound {
        if stanza == SubscriptionType::Subscribe && (self.state.is_from() || self.approved) {
            return self.approve_at_once();
        }
        let state = self.state.after_inbound(stanza);
        let is_changed = state != self.state;
        let subscription = Self { state, ..self };
        let is_unsubscribe = stanza == SubscriptionType::Unsubscribe;
        Inbound {
            subscription,
            // A.3: without a change of the state nothing is delivered.
            deliver: is_changed,
            push: subscription.shows_other_than(self),
            reply: (is_unsubscribe && is_changed).then_some(SubscriptionType::Unsubscribed),
            notify: (self.state.is_from() && !state.is_from()).then_some(Notify::Unavailable),
        }
    }

    /// A request that needs no answer of the user's: the contact is subscribed already (table 6, note 2), or the
    /// request was approved before (3.4.2). Either way its server wants to know presence now.
    fn approve_at_once(self) -> Inbound {
        let state = self.state.after_inbound(SubscriptionType::Subscribe);
        let subscription =
            Self { state: state.after_outbound(SubscriptionType::Subscribed), approved: false };
        Inbound {
            subscription,
            deliver: false,
            push: subscription.shows_other_than(self),
            reply: Some(SubscriptionType::Subscribed),
            notify: Some(Notify::Available),
        }
    }

    /// The user removes the contact from the roster (2.5.2): what the contact is sent, in this order, on behalf of
    /// the user; before `unsubscribed` to a subscribed contact, `unavailable` from each available resource (3.2.2).
    /// Pending requests are withdrawn and denied as well, so that nothing is left on the other side.
    pub fn removal(self) -> impl Iterator<Item = SubscriptionType> {
        let unsubscribe = self.state.is_to() || self.state.is_pending_out();
        let unsubscribed = self.state.is_from() || self.state.is_pending_in();
        let first = unsubscribe.then_some(SubscriptionType::Unsubscribe);
        first.into_iter().chain(unsubscribed.then_some(SubscriptionType::Unsubscribed))
    }

    fn shows_other_than(self, other: Self) -> bool {
        (self.attribute(), self.asks(), self.approved) != (other.attribute(), other.asks(), other.approved)
    }
}

impl SubscriptionType {
    /// If it is one that manages subscriptions.
    pub fn from_presence(presence: PresenceType) -> Option<Self> {
        match presence {
            PresenceType::Subscribe => Some(Self::Subscribe),
            PresenceType::Unsubscribe => Some(Self::Unsubscribe),
            PresenceType::Subscribed => Some(Self::Subscribed),
            PresenceType::Unsubscribed => Some(Self::Unsubscribed),
            PresenceType::Available
            | PresenceType::Unavailable
            | PresenceType::Probe
            | PresenceType::Error => None,
        }
    }
}

impl From<SubscriptionType> for PresenceType {
    fn from(stanza: SubscriptionType) -> Self {
        match stanza {
            SubscriptionType::Subscribe => Self::Subscribe,
            SubscriptionType::Unsubscribe => Self::Unsubscribe,
            SubscriptionType::Subscribed => Self::Subscribed,
            SubscriptionType::Unsubscribed => Self::Unsubscribed,
        }
    }
}

#[cfg(test)]
#[path = "rfc_6121_subscription_tests.rs"]
mod tests;
