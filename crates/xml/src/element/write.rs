//! Writing elements, with every namespace declared where it begins.

use super::{Element, Node};
use crate::{XML_NS, escape_attribute, escape_text};

/// An element whose end tag is to be written.
struct Open<'a> {
    end: usize,
    /// Its name with prefix.
    name: &'a str,
    is_xml: bool,
    /// The default namespace inside it.
    default: &'a str,
}

impl Element {
    /// Appends it to `out`, correct where `default_ns` is the default namespace in scope and no prefix is declared.
    pub fn write_to(&self, default_ns: &str, out: &mut String) {
        self.root().write_to(default_ns, out);
    }
}

impl Node<'_> {
    /// Appends it to `out`, correct where `default_ns` is the default namespace in scope and no prefix is declared.
    pub fn write_to(self, default_ns: &str, out: &mut String) {
        let element = self.element;
        let mut open: Vec<Open<'_>> = Vec::new();
        for index in self.index..self.data().end as usize {
            while let Some(last) = open.pop_if(|last| last.end <= index) {
                write_end(&last, out);
            }
            let node = Node { element, index };
            if node.data().is_text {
                escape_text(node.name(), out);
                continue;
            }
            let around = open.last().map_or(default_ns, |last| last.default);
            let is_xml = node.namespace() == XML_NS;
            node.write_start(around, is_xml, out);
            let end = node.data().end as usize;
            if end == index + 1 {
                out.push_str("/>");
                continue;
            }
            out.push('>');
            let default = if is_xml { around } else { node.namespace() };
            open.push(Open { end, name: node.name(), is_xml, default });
        }
        while let Some(last) = open.pop() {
            write_end(&last, out);
        }
    }

    /// Appends its start tag without the `>`.
    fn write_start(self, default_ns: &str, is_xml: bool, out: &mut String) {
        out.push_str(if is_xml { "<xml:" } else { "<" });
        out.push_str(self.name());
        // Namespaces in XML 1.0, 3: the namespace of `xml` cannot be the default.
        if !is_xml && self.namespace() != default_ns {
            write_attribute("xmlns", self.namespace(), out);
        }
        for (position, attribute) in self.attributes().enumerate() {
            match attribute.namespace {
                "" => write_attribute(attribute.name, attribute.value, out),
                XML_NS => write_attribute(&format!("xml:{}", attribute.name), attribute.value, out),
                namespace => {
                    write_attribute(&format!("xmlns:ns{position}"), namespace, out);
                    write_attribute(&format!("ns{position}:{}", attribute.name), attribute.value, out);
                }
            }
        }
    }
}

fn write_attribute(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("='");
    escape_attribute(value, out);
    out.push('\'');
}

fn write_end(open: &Open<'_>, out: &mut String) {
    out.push_str(if open.is_xml { "</xml:" } else { "</" });
    out.push_str(open.name);
    out.push('>');
}
