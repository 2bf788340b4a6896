//! What is offered, and how it is announced.

use stentor_auth::{ChannelBindingType, ChannelBindings, Family, Hash, Offer, Security, Settings};

fn tls(exporter: bool, end_point: bool) -> Security {
    let bindings = ChannelBindings::new(exporter.then_some([1; 32]), end_point.then(|| vec![2; 32]));
    Security::Tls { bindings, client: None }
}

fn of(families: &[Family]) -> Settings {
    Settings { families: families.to_vec(), ..Settings::default() }
}

#[test]
fn mechanisms() {
    let check = |settings: &Settings, security: Security, expected: &[&str]| {
        let offer = Offer::new(settings, "example.org", security);
        let names: Vec<_> = offer.mechanisms().iter().map(|mechanism| mechanism.name()).collect();
        assert_eq!(names, expected, "{settings:?}");
    };
    let default = Settings::default();
    let plus = ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"];
    let bare = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"];
    check(&default, Security::Clear, &[]);
    check(&default, tls(true, true), &[plus, bare].concat());
    check(&default, tls(true, false), &[plus, bare].concat());
    check(&default, tls(false, true), &[plus, bare].concat());
    check(&default, tls(false, false), &bare);
    let settings = Settings { channel_binding: false, ..Settings::default() };
    check(&settings, tls(true, true), &bare);
    let settings = of(&[Family::Scram(Hash::Sha512), Family::Scram(Hash::Sha256), Family::Plain]);
    check(&settings, tls(false, false), &["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]);
    check(&settings, Security::Clear, &[]);
    check(&of(&[Family::Scram(Hash::Sha1)]), tls(true, true), &["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"]);
    // RFC 6120 6.3.3: in the order of preference, which is the operator's.
    let settings = of(&[Family::Plain, Family::Scram(Hash::Sha1), Family::Scram(Hash::Sha512)]);
    check(&settings, tls(false, false), &["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-512"]);
    let bound = ["PLAIN", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-1", "SCRAM-SHA-512"];
    check(&settings, tls(true, true), &bound);
    let settings = of(&[Family::Scram(Hash::Sha256), Family::Plain, Family::Scram(Hash::Sha1)]);
    let bound = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "PLAIN", "SCRAM-SHA-1"];
    check(&settings, tls(true, true), &bound);
}

/// XEP-0440: types are announced where a mechanism uses them.
#[test]
fn channel_bindings() {
    use ChannelBindingType::{TlsExporter, TlsServerEndPoint};
    let check = |settings: &Settings, security: Security, expected: &[ChannelBindingType]| {
        assert_eq!(Offer::new(settings, "example.org", security).channel_bindings(), expected);
    };
    let default = Settings::default();
    check(&default, tls(true, true), &[TlsExporter, TlsServerEndPoint]);
    check(&default, tls(false, true), &[TlsServerEndPoint]);
    check(&default, tls(true, false), &[TlsExporter]);
    check(&default, tls(false, false), &[]);
    check(&default, Security::Clear, &[]);
    check(&Settings { channel_binding: false, ..Settings::default() }, tls(true, true), &[]);
    check(&of(&[Family::Plain]), tls(true, true), &[]);
}

#[test]
fn features() {
    let check = |settings: Settings, security: Security, expected: &str| {
        let mut out = String::new();
        Offer::new(&settings, "example.org", security).write_features(&mut out);
        assert_eq!(out, expected);
    };
    let settings = || of(&[Family::Scram(Hash::Sha256), Family::Plain]);
    check(settings(), Security::Clear, "");
    check(
        settings(),
        tls(false, false),
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism>\
         <mechanism>PLAIN</mechanism></mechanisms>",
    );
    check(
        settings(),
        tls(true, true),
        "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
         <channel-binding type='tls-server-end-point'/></sasl-channel-binding>\
         <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism>\
         <mechanism>SCRAM-SHA-256</mechanism><mechanism>PLAIN</mechanism></mechanisms>",
    );
}
