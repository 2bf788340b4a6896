//! Hostile bytes on a stream and what comes of them, by the name of each attack.

use Expected::{Accepted, BadPrefix, Malformed, Nested, OverLimit, Restricted};
use std::mem::size_of;
use stentor_xml::{Element, Error, Frame, Framer, Limit, Limits};

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Accepted,
    Malformed,
    BadPrefix,
    Restricted,
    Nested,
    OverLimit(Limit),
    UnsupportedEncoding,
}

fn read(framer: &mut Framer, mut input: &[u8]) -> Expected {
    loop {
        match framer.next(&mut input) {
            Ok(Some(_)) => {}
            Ok(None) => return Accepted,
            Err(Error::NotWellFormed(_)) => return Malformed,
            Err(Error::BadNamespacePrefix(_)) => return BadPrefix,
            Err(Error::Restricted(_)) => return Restricted,
            Err(Error::Nested(_)) => return Nested,
            Err(Error::UnsupportedEncoding) => return Expected::UnsupportedEncoding,
            Err(Error::Limit(limit)) => return OverLimit(limit),
        }
    }
}

/// What becomes of some first bytes of a stream.
fn check_start(row: &str, bytes: impl AsRef<[u8]>, expected: Expected) {
    let bytes = bytes.as_ref();
    let found = read(&mut Framer::new(Limits::CLIENT), bytes);
    assert_eq!(found, expected, "{row}: {}", String::from_utf8_lossy(bytes));
}

/// What becomes of some bytes after a stream header.
fn check(row: &str, bytes: impl AsRef<[u8]>, expected: Expected) {
    check_start(row, [HEADER.as_bytes(), bytes.as_ref()].concat(), expected);
}

#[test]
fn s001_to_s003_no_document_types_no_entities() {
    let entities: String =
        (1..10).map(|n| format!("<!ENTITY e{n} '{}'>", format!("&e{};", n - 1).repeat(10))).collect();
    let bomb = format!("<!DOCTYPE lolz [<!ENTITY e0 'lol'>{entities}]>");
    check_start("S001", format!("<?xml version='1.0'?>{bomb}{HEADER}<a>&e9;</a>"), Restricted);
    check("S001", format!("{bomb}<a>&e9;</a>"), Restricted);
    check("S001", format!("<a>{bomb}</a>"), Restricted);
    check("S001", "<a>&e9;</a>", Restricted);
    check("S002", "<a b='&e9;'/>", Restricted);
    check("S003", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>", Restricted);
    check("S003", "<!DOCTYPE a PUBLIC 'x' 'http://example.net/'>", Restricted);
    assert_eq!(Element::parse("<!DOCTYPE a><a/>", ""), Err(Error::Restricted(0)), "S003");
    let mut fragments = Framer::fragments(Limits::CLIENT, "");
    assert_eq!(read(&mut fragments, b"<!DOCTYPE a><open/>"), Restricted, "S003");
}

#[test]
fn s004_no_comments_no_instructions() {
    check("S004", "<!-- x -->", Restricted);
    check("S004", "<a><!-- x --></a>", Restricted);
    check("S004", "<a><!----></a>", Restricted);
    check("S004", "<?x?>", Restricted);
    check("S004", "<a><?x y?></a>", Restricted);
    check("S004", "<?xml version='1.0'?>", Restricted);
    check_start("S004", "<?xml version='1.0'?><?xml version='1.0'?>", Restricted);
    check_start("S004", "<?xml-stylesheet href='x'?>", Restricted);
    check_start("S004", format!("<!-- x -->{HEADER}"), Restricted);
    check("S004", "<a><![CDATA[<b>&e9;]]></a>", Accepted);
    check("S004", "<![CDATA[x]]>", Malformed);
    check("S004", "<a b='<![CDATA[x]]>'/>", Malformed);
    let element = Element::parse("<a><![CDATA[<b>&e9;</a>]]></a>", "").expect("CDATA is text");
    assert_eq!(element.text(), "<b>&e9;</a>", "S004");
}

#[test]
fn s005_references() {
    for reference in ["&nbsp;", "&e;"] {
        check("S005", format!("<a>{reference}</a>"), Restricted);
    }
    for reference in [
        "&#0;",
        "&#x1;",
        "&#xD800;",
        "&#xDFFF;",
        "&#xFFFE;",
        "&#xFFFF;",
        "&#x110000;",
        "&#99999999999;",
        "&#-1;",
        "&",
        "& ",
        "&;",
        "&#;",
        "&#x;",
        "&lt",
        "&#x41",
    ] {
        check("S005", format!("<a>{reference}</a>"), Malformed);
        check("S005", format!("<a b='{reference}'/>"), Malformed);
    }
}

#[test]
fn s006_control_characters() {
    for byte in 0..0x20_u8 {
        let is_blank = matches!(byte, b'\t' | b'\n' | b'\r');
        let expected = if is_blank { Accepted } else { Malformed };
        for (before, after) in [("<a>", "</a>"), ("<a b='", "'/>"), ("<a><![CDATA[", "]]></a>"), ("", "<a/>")]
        {
            check("S006", [before.as_bytes(), &[byte], after.as_bytes()].concat(), expected);
        }
        check("S006", [b"<a", [byte].as_slice(), b"/>"].concat(), expected);
    }
    check("S006", "<a>\u{7F}\u{80}\u{9F}</a>", Accepted);
    check("S006", "<a>\u{FFFE}</a>", Malformed);
    check("S006", "<a b='\u{FFFF}'/>", Malformed);
}

#[test]
fn s007_utf_8() {
    let invalid: [&[u8]; 15] = [
        b"\x80",
        b"\xBF",
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xC2",
        b"\xE0\x80\x80",
        b"\xE0\x9F\xBF",
        b"\xE2\x82",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xF0\x80\x80\x80",
        b"\xF0\x8F\xBF\xBF",
        b"\xF4\x90\x80\x80",
        b"\xF5\x80\x80\x80",
        b"\xFF",
    ];
    for bytes in invalid {
        for (before, after) in [
            ("<a>", "</a>"),
            ("<a b='", "'/>"),
            ("<a><![CDATA[", "]]></a>"),
            ("<a", "/>"),
            ("<a b", "='1'/>"),
            ("<a xmlns='", "'/>"),
            ("</stream:stream", ">"),
        ] {
            check("S007", [before.as_bytes(), bytes, after.as_bytes()].concat(), Malformed);
        }
    }
}

#[test]
fn s008_encodings() {
    check_start("S008", "<?xml version='1.0' encoding='UTF-16'?>", Expected::UnsupportedEncoding);
    check_start("S008", "<?xml version='1.0' encoding='ISO-8859-1'?>", Expected::UnsupportedEncoding);
    check_start(
        "S008",
        format!("<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n{HEADER}"),
        Accepted,
    );
    check_start("S008", "\u{FEFF}<?xml version='1.0'?>", Malformed);
    check_start("S008", b"\xFF\xFE<\0?\0x\0m\0l\0", Malformed);
    for declaration in [
        "<?xml?>",
        "<?xml version='1.1'?>",
        "<?xml encoding='UTF-8' version='1.0'?>",
        "<?xml version='1.0'encoding='UTF-8'?>",
        "<?xml version='1.0' x='y'?>",
        "<?xml version='1.0\"?>",
    ] {
        let found = read(&mut Framer::new(Limits::CLIENT), declaration.as_bytes());
        assert!(matches!(found, Malformed | Restricted), "S008: {declaration}: {found:?}");
    }
    let endless = format!("<?xml version='1.0'{}", " ".repeat(1000));
    check_start("S008", endless, Malformed);
}

#[test]
fn s009_namespaces_are_compared_with_names_apart() {
    let check = |xml: &str, name: &str, namespace: &str| {
        let element = Element::parse(xml, "").expect(xml);
        assert_eq!((element.name(), element.namespace()), (name, namespace), "S009: {xml}");
    };
    check("<a xmlns='urn:x\nb'/>", "a", "urn:x b");
    check("<a xmlns='urn:x b'/>", "a", "urn:x b");
    check("<p:a xmlns:p='urn:x&#10;b'/>", "a", "urn:x\nb");
    check_start("S009", "<a xmlns='urn:x\x0Cb'>", Malformed);
}

#[test]
fn s011_tags_out_of_place() {
    const STREAMS: &str = "http://etherx.jabber.org/streams";
    for nested in [
        HEADER.to_owned(),
        "<message><stream:stream></stream:stream></message>".to_owned(),
        "<message><stream:stream/></message>".to_owned(),
        format!("<message><x><s:stream xmlns:s='{STREAMS}'/></x></message>"),
        format!("<message><stream xmlns='{STREAMS}'/></message>"),
        format!("<message><x xmlns='{STREAMS}'><stream/></x></message>"),
        format!("<message><stream xmlns='{}'/></message>", STREAMS.replace('e', "&#101;")),
        format!("<stream xmlns='{STREAMS}'><message/></stream>"),
    ] {
        check("S011", nested, Nested);
    }
    // Its name alone, or its namespace, does not make it one.
    for other in ["<stream/>", "<stream:message/>", "<stream:stream xmlns:stream='urn:x'/>"] {
        check("S011", format!("<message>{other}</message>"), Accepted);
    }
    check_start("S011", "<stream><x xmlns='urn:x'><stream/></x><stream xmlns='urn:x'/>", Accepted);
    check_start("S011", "<stream><x><stream/></x>", Nested);
    check("S011", "<message></stream:stream></message>", Malformed);
    check("S011", "</message>", Malformed);
    check("S011", "<a></b>", Malformed);
    check("S011", "<a></A>", Malformed);
    check("S011", "<a></a b='1'>", Malformed);
    check("S011", "<a></ a>", Malformed);
    check("S011", "<a></a/>", Malformed);
    check("S011", "<p:a xmlns:p='x' xmlns:q='x'></q:a>", Malformed);
    check("S011", "</stream:stream b='1'>", Malformed);
    check("S011", "</stream:streamx>", Malformed);
    check("S011", "</stream:stream><a/>", Malformed);
    check("S011", "</stream:stream>\n", Accepted);
    check("S011", "text", Malformed);
    check("S011", "<a/>text", Malformed);
    check("S011", "<a/ >", Malformed);
    check("S011", "< a/>", Malformed);
    check_start("S011", "</stream:stream>", Malformed);
    check_start("S011", "text", Malformed);
}

#[test]
fn s012_prefixes_do_not_deceive() {
    let children = |xml: &str| {
        let mut framer = Framer::new(Limits::CLIENT);
        let document = format!("{HEADER}{xml}");
        let mut input = document.as_bytes();
        framer.next(&mut input).expect("a header");
        match framer.next(&mut input) {
            Ok(Some(Frame::Element(raw))) => {
                raw.children().map(|c| (c.namespace.to_owned(), c.name.to_owned())).collect::<Vec<_>>()
            }
            other => panic!("S012: {other:?}"),
        }
    };
    let check = |xml: &str, expected: &[(&str, &str)]| {
        let expected: Vec<_> = expected.iter().map(|&(ns, n)| (ns.to_owned(), n.to_owned())).collect();
        assert_eq!(children(xml), expected, "S012: {xml}");
    };
    const MUC: &str = "http://jabber.org/protocol/muc#user";
    check(&format!("<presence xmlns:m='{MUC}'><x/></presence>"), &[("jabber:client", "x")]);
    check(&format!("<presence><m:x xmlns:m='{MUC}'/></presence>"), &[(MUC, "x")]);
    check(&format!("<presence xmlns:m='{MUC}'><m:x/><x/></presence>"), &[(MUC, "x"), ("jabber:client", "x")]);
    check("<presence xmlns:m='a'><m:x xmlns:m='b'/><m:x/></presence>", &[("b", "x"), ("a", "x")]);
    check(
        "<presence><x xmlns=''/><stream:x/></presence>",
        &[("", "x"), ("http://etherx.jabber.org/streams", "x")],
    );
    check("<presence xmlns:m='urn:&#120;mpp:delay'><m:delay/></presence>", &[("urn:xmpp:delay", "delay")]);
}

#[test]
fn s013_declarations() {
    check("S013", "<a b='1' b='1'/>", Malformed);
    check("S013", "<a xmlns='x' xmlns='x'/>", Malformed);
    check("S013", "<a xmlns:p='x' xmlns:p='y'/>", Malformed);
    check("S013", "<a xmlns:p='x' xmlns:q='x' p:b='1' q:b='2'/>", Malformed);
    check("S013", "<a xmlns:p='x' xmlns:q='&#120;' p:b='1' q:b='2'/>", Malformed);
    check("S013", "<a xmlns='x' xmlns:p='x' b='1' p:b='2'/>", Accepted);
    check("S013", "<p:a/>", BadPrefix);
    check("S013", "<a p:b='1'/>", BadPrefix);
    check("S013", "<a><b xmlns:p='x'/><p:c/></a>", BadPrefix);
    check("S013", "<xmlns:a/>", BadPrefix);
    check("S013", "<a xmlns:p=''/>", BadPrefix);
    check("S013", "<a xmlns:xml='x'/>", BadPrefix);
    check("S013", "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>", Accepted);
    check("S013", "<a xmlns:xmlns='x'/>", BadPrefix);
    check("S013", "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>", BadPrefix);
    check("S013", "<a xmlns='http://www.w3.org/2000/xmlns/'/>", BadPrefix);
    check("S013", "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", BadPrefix);
    check("S013", "<a xmlns='http://www.w3.org/XML/1998/namespace'/>", BadPrefix);
    for name in ["1a", ":a", "a:", "a:b:c", "-a", ".a", "a\u{d7}", "\u{b7}", "stream:1"] {
        check("S013", format!("<{name}/>"), Malformed);
        check("S013", format!("<a {name}='1'/>"), Malformed);
    }
    for tag in ["<a b>", "<a b=1>", "<a b='1'c='2'>", "<a b='<'>", "<a b='1\">", "<a =''>", "<a b==''>"] {
        check("S013", format!("{tag}</a><a x='\"'/>"), Malformed);
    }
}

#[test]
fn s014_to_s019_limits_hold_while_reading() {
    let attributes = |count: usize| (0..count).map(|n| format!(" a{n}=''")).collect::<String>();
    let max = usize::from(Limits::CLIENT.attributes_max);
    check("S014", format!("<a{}/>", attributes(max)), Accepted);
    for count in [max + 1, 5_000, 20_000] {
        check("S014", format!("<a{}", attributes(count)), OverLimit(Limit::Attributes));
    }
    let namespaces = |count: usize| (0..count).map(|n| format!(" xmlns:a{n}='x'")).collect::<String>();
    let max = usize::from(Limits::CLIENT.namespaces_max);
    check("S015", format!("<a{}/>", namespaces(max)), Accepted);
    check("S015", format!("<a{}", namespaces(10_000)), OverLimit(Limit::Namespaces));
    check("S015", "<a xmlns:p='x'>".repeat(max + 1), OverLimit(Limit::Depth));
    let max = usize::from(Limits::CLIENT.depth_max);
    check("S016", format!("{}{}", "<a>".repeat(max), "</a>".repeat(max)), Accepted);
    check("S016", "<a>".repeat(100_000), OverLimit(Limit::Depth));
    check("S019", format!("<a>{}", "<b/>".repeat(50_000)), OverLimit(Limit::Elements));
    check("S019", format!("<a><c>{}", "<b/>".repeat(50_000)), OverLimit(Limit::Elements));
    let many = format!("<query>{}</query>", "<item/>".repeat(10_000));
    assert!(Element::parse(&many, "").is_ok(), "S019: a large roster of our own");
    let long = "x".repeat(Limits::CLIENT.stanza_bytes_max as usize);
    for endless in [
        format!("<{long}"),
        format!("<a {long}"),
        format!("<a b='{long}"),
        format!("<a>{long}"),
        format!("<a{}", " ".repeat(long.len())),
        format!("<a><![CDATA[{long}"),
    ] {
        check("S018", endless, OverLimit(Limit::StanzaBytes));
    }
}

const _: () = {
    let (before, after) = (Limits::BEFORE_AUTHENTICATION, Limits::CLIENT);
    assert!(before.stanza_bytes_max * 8 <= after.stanza_bytes_max);
    assert!(before.elements_max * 8 <= after.elements_max);
    assert!(before.depth_max * 2 <= after.depth_max);
};

#[test]
fn s016_deep_trees_are_read_written_and_dropped_without_recursion() {
    // A stack of 64 KiB would not hold a frame for each level.
    let work = || {
        let mut builder = stentor_xml::ElementBuilder::new("a", "x");
        for _ in 0..100_000 {
            builder = builder.open("b", "x").attr("c", "1");
        }
        let element = builder.build();
        let mut written = String::new();
        element.write_to("", &mut written);
        let copy = element.root().to_element();
        assert_eq!(copy, element, "S016");
        drop(copy);
        let depth = usize::from(Limits::STORED.depth_max);
        let text = format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(Element::parse(&text, "").is_ok(), "S016");
        written.len()
    };
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(work).expect("a thread");
    assert!(thread.join().expect("no overflow") > 100_000, "S016");
}

#[test]
fn s017_a_stanza_is_held_up_to_its_limit_only() {
    let mut framer = Framer::new(Limits::CLIENT);
    assert_eq!(read(&mut framer, HEADER.as_bytes()), Accepted);
    assert_eq!(read(&mut framer, b"<a>"), Accepted);
    let mut sent = 3_u32;
    let found = loop {
        match read(&mut framer, b"x") {
            Accepted => sent += 1,
            found => break found,
        }
        assert!(framer.is_partial() && sent < Limits::CLIENT.stanza_bytes_max, "S017");
    };
    assert_eq!(found, OverLimit(Limit::StanzaBytes), "S017");
    assert_eq!(sent + 1, Limits::CLIENT.stanza_bytes_max, "S017");
}

#[test]
fn s020_an_idle_stream_holds_little() {
    assert!(size_of::<Framer>() <= 64, "S020: {}", size_of::<Framer>());
}

#[test]
fn s024_what_is_written_is_read_the_same() {
    let value = "\"'<>&]]>\n\t\r\u{1F339}\u{7F} ";
    let element = stentor_xml::ElementBuilder::new("a", "x").attr("b", value).text(value).build();
    let mut written = String::new();
    element.write_to("", &mut written);
    let read = Element::parse(&written, "").expect("well-formed");
    assert_eq!((read.attribute("b"), read.text().as_str()), (Some(value), value), "S024");
}
