use super::*;

fn written(element: &Element) -> String {
    let mut out = String::new();
    element.write_to("jabber:client", &mut out);
    out
}

#[test]
fn is_written_with_correct_namespaces() {
    let check = |xml: &str, expected: &str| {
        let element = Element::parse(xml, "jabber:client").expect(xml);
        assert_eq!(written(&element), expected, "{xml}");
        let again = Element::parse(expected, "jabber:client").expect(expected);
        assert_eq!(element, again, "{xml}");
    };
    check("<a/>", "<a/>");
    check("<a></a>", "<a/>");
    check("<a xmlns=''/>", "<a xmlns=''/>");
    check("<p:a xmlns:p='jabber:client' xmlns='x'><b/></p:a>", "<a><b xmlns='x'/></a>");
    check("<a xmlns='x'><b/><c xmlns='y'><d/></c><e/></a>", "<a xmlns='x'><b/><c xmlns='y'><d/></c><e/></a>");
    check("<a xml:lang='de' b=\"it's\"/>", "<a xml:lang='de' b='it&apos;s'/>");
    check("<a xmlns:p='y' p:b='1' b='2'/>", "<a xmlns:ns0='y' ns0:b='1' b='2'/>");
    check("<a>x&lt;<![CDATA[<&]]>&#13;\r\n</a>", "<a>x&lt;&lt;&amp;&#xD;\n</a>");
    check("<a b='&#10;\n'/>", "<a b='&#xA; '/>");
    check("<xml:a><b/></xml:a>", "<xml:a><b/></xml:a>");
    check("<a xmlns='a&amp;b\tc'/>", "<a xmlns='a&amp;b c'/>");
}

#[test]
fn is_built_by_hand() {
    let inner = Element::parse("<i xmlns='y' z='1'>t<j/></i>", "").expect("an element");
    let element = ElementBuilder::new("a", "x")
        .open("b", "x")
        .attr("k", "v")
        .text("one")
        .text(" two\0")
        .close()
        .attr("late", "1")
        .attr("late", "2")
        .attr("xml:lang", "de")
        .child(inner.root())
        .open("c", "")
        .build();
    let expected = "<a xmlns='x' late='2' xml:lang='de'><b k='v'>one two\u{FFFD}</b>\
                    <i xmlns='y' z='1'>t<j/></i><c xmlns=''/></a>";
    assert_eq!(written(&element), expected);
    let copy = element.child("i", "y").expect("a child").to_element();
    assert_eq!(copy, inner);
    assert_ne!(element, inner);
}

#[test]
fn is_read() {
    let element =
        Element::parse("<a x='1'>t<b>u</b>v<c xmlns='y'/><b n='2'/></a>", "ns").expect("an element");
    assert!(element.is("a", "ns"));
    assert_eq!(element.attribute("x"), Some("1"));
    assert_eq!(element.text(), "tv");
    let names: Vec<_> = element.children().map(|c| (c.name(), c.namespace())).collect();
    assert_eq!(names, [("b", "ns"), ("c", "y"), ("b", "ns")]);
    assert_eq!(element.child("b", "ns").map(Node::text).as_deref(), Some("u"));
    assert!(element.child("b", "y").is_none());
}

#[test]
fn refuses_what_is_no_single_element() {
    for xml in [
        "",
        " ",
        "x",
        "<a>",
        "<a/><b/>",
        "<a/>x",
        "</a>",
        "<?xml version='1.0'?><a/>",
        "<!--x--><a/>",
        "<p:a/>",
    ] {
        assert!(Element::parse(xml, "").is_err(), "{xml}");
    }
    assert!(Element::parse(" <a/>\n", "").is_ok());
}
