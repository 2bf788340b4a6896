//! The body of a fuzz target: bytes read as an address.

use stentor_xmpp::{BareJid, Jid, prepare_domainpart, prepare_localpart, prepare_resourcepart};

/// An address stays what it is when it is read again, whole or by its parts, and is never more than it may be.
pub(crate) fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(jid) = Jid::parse(&text) else { return };
    assert_eq!(Jid::parse(jid.as_str()).as_ref(), Ok(&jid), "{text:?}");
    assert_eq!(prepare_domainpart(jid.domain()).as_deref(), Ok(jid.domain()), "{text:?}");
    if let Some(local) = jid.local() {
        assert_eq!(prepare_localpart(local).as_deref(), Ok(local), "{text:?}");
        assert!(!local.contains(['"', '&', '\'', '/', ':', '<', '>', '@', ' ']), "{text:?}");
    }
    let bare = jid.to_bare();
    assert_eq!(BareJid::new(jid.local(), jid.domain()).as_ref(), Ok(&bare), "{text:?}");
    assert_eq!(BareJid::parse(bare.as_str()).as_ref(), Ok(&bare), "{text:?}");
    if let Some(resource) = jid.resource() {
        assert_eq!(prepare_resourcepart(resource).as_deref(), Ok(resource), "{text:?}");
        assert_eq!(bare.with_resource(resource).map(Jid::from).as_ref(), Ok(&jid), "{text:?}");
    }
    assert!(jid.as_str().len() <= 3071 && !jid.as_str().contains(char::is_control), "{text:?}");
}
