//! rxml, as another parser to compare with.

use crate::said::{Said, push_text};
use rxml::Parse;

/// What rxml says of a document; `None` if it refuses it.
pub(crate) fn rxml(document: &str) -> Option<Vec<Said>> {
    let mut parser = rxml::Parser::new();
    let mut input = document.as_bytes();
    let mut said = Vec::new();
    loop {
        match parser.parse(&mut input, true) {
            Ok(Some(rxml::Event::StartElement(_, (namespace, name), attributes))) => {
                let attributes = attributes.iter().map(|((namespace, name), value)| {
                    (namespace.as_str().to_owned(), name.to_string(), value.clone())
                });
                said.push(Said::Start(namespace.as_str().to_owned(), name.to_string(), attributes.collect()));
            }
            Ok(Some(rxml::Event::EndElement(_))) => said.push(Said::End),
            Ok(Some(rxml::Event::Text(_, text))) => push_text(&mut said, &text),
            Ok(Some(rxml::Event::XmlDeclaration(..))) => {}
            Ok(None) => return Some(said),
            Err(_) => return None,
        }
    }
}
