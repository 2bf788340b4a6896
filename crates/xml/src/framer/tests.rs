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
    let attributes: Vec<_> = raw.attributes().collect();
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
