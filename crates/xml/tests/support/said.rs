//! What a parser says of a document, so that two can be compared.

use roxmltree::{Document, ParsingOptions};
use std::collections::BTreeSet;

/// An event: of an element its namespace, its name and its attributes, each with namespace, name and value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Start(String, String, BTreeSet<(String, String, String)>),
    Text(String),
    End,
}

/// Text is one event between two tags, in however many pieces a parser hands it out.
pub(crate) fn push_text(said: &mut Vec<Said>, text: &str) {
    match said.last_mut() {
        _ if text.is_empty() => {}
        Some(Said::Text(before)) => before.push_str(text),
        _ => said.push(Said::Text(text.to_owned())),
    }
}

/// What roxmltree says of a document; `None` if it refuses it.
pub(crate) fn roxmltree(document: &str) -> Option<Vec<Said>> {
    let document = Document::parse_with_options(document, ParsingOptions::default()).ok()?;
    let mut said = Vec::new();
    walk(document.root_element(), &mut said);
    Some(said)
}

/// What roxmltree says of an element.
pub(crate) fn walk(node: roxmltree::Node<'_, '_>, said: &mut Vec<Said>) {
    let name = node.tag_name();
    let attributes = node
        .attributes()
        .map(|a| (a.namespace().unwrap_or_default().to_owned(), a.name().to_owned(), a.value().to_owned()));
    let namespace = name.namespace().unwrap_or_default().to_owned();
    said.push(Said::Start(namespace, name.name().to_owned(), attributes.collect()));
    for child in node.children() {
        if child.is_element() {
            walk(child, said);
        } else {
            push_text(said, child.text().unwrap_or_default());
        }
    }
    said.push(Said::End);
}
