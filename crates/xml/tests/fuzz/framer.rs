//! Bodies of fuzz targets: bytes read as a stream, and as an element.

use stentor_xml::{Element, Frame, Framer, Limits};

/// Limits small enough that random input passes them.
const LIMITS: Limits =
    Limits { stanza_bytes_max: 512, depth_max: 6, attributes_max: 4, namespaces_max: 4, elements_max: 12 };

/// Whole and byte by byte, the same bytes give the same frames and the same error; what is given out lies within the
/// limits, and can be read as a tree, written and read again.
pub(crate) fn framer(data: &[u8]) {
    let whole = frames(std::iter::once(data));
    assert_eq!(whole, frames(data.chunks(1)));
    let middle = data.len() / 2;
    let (head, tail) = data.split_at(middle);
    assert_eq!(whole, frames([head, tail].into_iter()));
}

/// What is accepted as an element is written as an element that is the same.
pub(crate) fn element(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(element) = Element::parse(text, "jabber:client") else { return };
    let mut written = String::new();
    element.write_to("urn:other", &mut written);
    assert_eq!(Element::parse(&written, "urn:other").as_ref(), Ok(&element), "{text} became {written}");
}

/// Everything that a framer gave out, and its error.
fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut framer = Framer::new(LIMITS);
    let mut found = Vec::new();
    for mut piece in pieces {
        loop {
            match framer.next(&mut piece) {
                Ok(Some(Frame::Header(raw))) => found.push(format!("{raw:?}")),
                Ok(Some(Frame::Element(raw))) => {
                    assert!(raw.bytes.len() <= LIMITS.stanza_bytes_max as usize);
                    found.push(format!("{raw:?}"));
                    round_trip(&raw.to_element());
                }
                Ok(Some(Frame::End)) => found.push("end".to_owned()),
                Ok(None) => break,
                Err(error) => {
                    found.push(format!("{error:?}"));
                    return found;
                }
            }
        }
        assert!(piece.is_empty());
    }
    found
}

fn round_trip(element: &Element) {
    let mut written = String::new();
    element.write_to("", &mut written);
    assert_eq!(Element::parse(&written, "").as_ref(), Ok(element), "{written}");
}
