use super::*;

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='a.example' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' xmlns:q='urn:q' version='1.0'>";

/// What came out of a framer: each frame as text, then the error.
fn frames(mut framer: Framer, pieces: &[&[u8]]) -> Vec<String> {
    let mut out = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match framer.next(&mut input) {
                Ok(Some(Frame::Header(raw))) => out.push(format!("header {}", describe(&raw))),
                Ok(Some(Frame::Element(raw))) => out.push(format!("element {}", describe(&raw))),
                Ok(Some(Frame::End)) => out.push("end".to_owned()),
                Ok(None) => break,
                Err(error) => {
                    out.push(format!("{error:?}"));
                    return out;
                }
            }
        }
        assert!(input.is_empty());
    }
    if framer.is_partial() {
        out.push("partial".to_owned());
    }
    out
}

fn describe(raw: &RawElement<'_>) -> String {
    let used: Vec<_> = raw.used_declarations().collect();
    let children: Vec<_> = raw.children().collect();
    let attributes: Vec<_> =
        raw.attributes().map(|a| (a.prefix(), a.namespace(), a.name(), a.raw(), a.value())).collect();
    let (namespace, name) = (raw.namespace(), raw.name());
    format!("{{{namespace}}}{name} {attributes:?} {used:?} {children:?} {:?} {}", raw.content(), raw.bytes)
}

fn whole(text: &[u8]) -> Vec<String> {
    frames(Framer::new(Limits::CLIENT), &[text])
}

#[test]
fn any_split_gives_the_same_frames() {
    let documents = [
        format!(
            "{HEADER} \n<message to='b'><body>h\u{e9}llo &amp; \u{1F600}]]&gt;</body></message><r xmlns='urn:xmpp:sm:3'/>\
                 <iq id=\"'\" type = 'set'\n><q:x q:a='1' a='1'/><![CDATA[ ]] ]>]]></iq ><p:a xmlns:p='u&#38;v'><p:b/></p:a></stream:stream>\n"
        ),
        format!("{HEADER}<a><b></a>"),
        format!("{HEADER}<a>&nbsp;</a>"),
        format!("{HEADER}<a>]]></a>"),
        format!("{HEADER}<a b='<'/>"),
        format!("{HEADER}<\u{e9}\u{b7}/><\u{b7}/>"),
        format!("{HEADER}<!-- -->"),
        "<a/> x".to_owned(),
        "<?xml version='1.0' encoding='UTF-16'?>".to_owned(),
        " <?xml version='1.0'?>".to_owned(),
    ];
    for document in &documents {
        let bytes = document.as_bytes();
        let expected = whole(bytes);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(frames(Framer::new(Limits::CLIENT), &single), expected, "{document}");
        for cut in 0..bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(frames(Framer::new(Limits::CLIENT), &[a, b]), expected, "{document} at {cut}");
        }
    }
}

#[test]
fn a_header_is_read() {
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input: &[u8] = b"<s:stream to=\"a&amp;b\" xml:lang='de' xmlns:s='urn:s' s:x='1' version='1.0'>";
    match framer.next(&mut input) {
        Ok(Some(Frame::Header(raw))) => {
            assert!(raw.is("stream", "urn:s"));
            assert_eq!(raw.attribute("to").as_deref(), Some("a&b"));
            assert_eq!(raw.attribute("x"), None);
            assert_eq!(raw.attribute_in("urn:s", "x").as_deref(), Some("1"));
            assert_eq!(raw.lang().as_deref(), Some("de"));
            assert_eq!(raw.default_namespace(), "");
            assert_eq!(raw.children().len(), 0);
            assert_eq!(raw.to_element().attribute("version"), Some("1.0"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_ends() {
    let check = |document: &str, expected: &[&str]| {
        let found = whole(document.as_bytes());
        let kinds: Vec<_> = found.iter().map(|frame| frame.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(kinds, expected, "{document}");
    };
    check("<a/>", &["header", "end"]);
    check("<a/> \n", &["header", "end"]);
    check("<a/><b/>", &["header", "end", "NotWellFormed(4)"]);
    check("<a></a >", &["header", "end"]);
    check("<a>\n<b/>\t</a>", &["header", "element", "end"]);
    check("<a><a xmlns='x'></a></a>", &["header", "element", "end"]);
    check("<a><a></a></a>", &["header", "Nested(3)"]);
}

#[test]
fn a_restart_forgets_the_stream() {
    let mut framer = Framer::new(Limits::CLIENT);
    let mut input: &[u8] = b"<a xmlns:p='x'><p:b/><p:c";
    while framer.next(&mut input).expect("well-formed").is_some() {}
    assert!(framer.is_partial());
    framer.restart();
    assert!(!framer.is_partial());
    let mut input: &[u8] = b"<?xml version='1.0'?><a><p:b/>";
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Header(_)))));
    assert_eq!(framer.next(&mut input).err(), Some(Error::BadNamespacePrefix(29)));
}

#[test]
fn white_space_that_ended_the_stream_before_is_not_of_the_next() {
    let declared = "<?xml version='1.0'?><a>";
    let mut framer = Framer::new(Limits::CLIENT);
    assert_eq!(framer.next(&mut format!("\n{declared}").as_bytes()).err(), Some(Error::Restricted(1)));
    for split in 0..2 + declared.len() {
        let mut framer = Framer::new(Limits::CLIENT);
        framer.restart();
        let text = format!("\r\n{declared}");
        let (mut first, mut second) = text.as_bytes().split_at(split);
        let early = framer.next(&mut first).expect("well-formed").is_some();
        let late = framer.next(&mut second).expect("well-formed").is_some();
        assert!(early ^ late, "split at {split}");
    }
}

#[test]
fn limits_change_with_the_next_frame() {
    let mut framer = Framer::new(Limits::CLIENT);
    let small = Limits { stanza_bytes_max: 8, ..Limits::CLIENT };
    let mut input: &[u8] = b"<aaaaaaa><bb";
    while framer.next(&mut input).expect("within the limit").is_some() {}
    framer.set_limits(small);
    assert!(matches!(framer.next(&mut &b"bbbbbbb/>"[..]), Ok(Some(Frame::Element(_)))));
    assert!(matches!(framer.next(&mut &b" <bbbbb/>"[..]), Ok(Some(Frame::Element(_)))));
    assert_eq!(framer.next(&mut &b"<bbbbbb/>"[..]).err(), Some(Error::Limit(Limit::StanzaBytes)));
}

#[test]
fn fragments_need_no_header() {
    let mut framer = Framer::fragments(Limits::CLIENT, "urn:d");
    let mut input: &[u8] = b"<open/> <p:a xmlns:p='x'/>";
    match framer.next(&mut input) {
        Ok(Some(Frame::Element(raw))) => assert!(raw.is("open", "urn:d")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(framer.next(&mut input), Ok(Some(Frame::Element(raw))) if raw.is("a", "x")));
    assert!(framer.next(&mut &b"</open>"[..]).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_pieces_give_the_same_frames(
        parts in proptest::collection::vec("(<a( xmlns(:q)?='[a-c]?')?>|</a>|<(q:)?b( k='&lt;\u{e9}')?/>|&amp;|[<>x\u{e9}\u{1F339}]| )", 0..20),
        cuts in proptest::collection::vec(0_usize..400, 0..8),
    ) {
        let document = format!("{HEADER}{}", parts.concat());
        let mut rest = document.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces.push(rest);
        proptest::prop_assert_eq!(frames(Framer::new(Limits::CLIENT), &pieces), whole(document.as_bytes()));
    }
}
