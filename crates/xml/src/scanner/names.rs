//! Namespaces in XML 1.0: declarations, and what prefixes stand for.

use super::Scanner;
use crate::outline::{AttributeSpans, Binding, QName, Span};
use crate::{Error, Limit, XML_NS, XMLNS_NS, unescape};

/// An index of the declarations in scope, which limits keep far below 2^32.
#[expect(clippy::cast_possible_truncation, reason = "there are fewer declarations than bytes in a stanza")]
pub(super) const fn index(length: usize) -> u32 {
    length as u32
}

impl Scanner {
    pub(super) fn declare_inherited(&mut self, prefix: &str, namespace: &str) {
        let prefix = self.keep(prefix);
        let namespace = self.keep(namespace);
        self.outline.bindings.push(Binding { prefix, namespace, is_used: false });
    }

    pub(super) fn keep(&mut self, text: &str) -> Span {
        let start = self.outline.text.len();
        self.outline.text.push_str(text);
        Span::in_text(start, self.outline.text.len())
    }

    /// At the closing quote of an attribute: declares a prefix, or notes the attribute.
    pub(super) fn attribute(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let value = Span::new(self.value_start, self.position);
        let name = if self.colon == 0 {
            QName { prefix: Span::default(), local: Span::new(self.mark, self.name_end) }
        } else {
            QName {
                prefix: Span::new(self.mark, self.colon),
                local: Span::new(self.colon + 1, self.name_end),
            }
        };
        let local = name.local.of(bytes, "");
        if self.colon == 0 {
            if local == b"xmlns" {
                return self.declare(bytes, Span::default(), value);
            }
        } else if name.prefix.of(bytes, "") == b"xmlns" {
            return self.declare(bytes, name.local, value);
        } else {
            self.has_prefixed_attributes = true;
        }
        let mine = self.outline.attributes.get(self.attributes..).unwrap_or_default();
        if mine.len() >= usize::from(self.limits.attributes_max) {
            return Err(Error::Limit(Limit::Attributes));
        }
        // XML 1.0 3.1: attribute names are unique. Those that differ in the prefix alone are compared at the tag's end.
        let whole = bytes.get(self.mark..self.name_end);
        let length = self.name_end - self.mark;
        let is_same = |other: &AttributeSpans| {
            let (start, end) = (other.name_start(), other.name.local.end());
            end - start == length && bytes.get(start..end) == whole
        };
        if mine.iter().any(is_same) {
            return Err(self.malformed());
        }
        self.outline.attributes.push(AttributeSpans {
            name,
            namespace: Span::default(),
            value,
            is_plain: self.is_plain,
        });
        Ok(())
    }

    fn declare(&mut self, bytes: &[u8], prefix: Span, value: Span) -> Result<(), Error> {
        let namespace = self.namespace_name(bytes, value)?;
        let text = &self.outline.text;
        let (name, uri) = (prefix.of(bytes, text), namespace.of(bytes, text));
        // Namespaces in XML 1.0, 3: `xml` and `xmlns` and their names belong to each other; no prefix is undeclared.
        let is_xml = uri == XML_NS.as_bytes();
        if name == b"xmlns" || uri == XMLNS_NS.as_bytes() || is_xml != (name == b"xml") {
            return Err(self.bad_prefix());
        }
        if uri.is_empty() && !name.is_empty() {
            return Err(self.bad_prefix());
        }
        let mine = self.outline.bindings.get(self.bindings..).unwrap_or_default();
        if mine.iter().any(|other| other.prefix.of(bytes, text) == name) {
            return Err(self.malformed());
        }
        if self.outline.bindings.len() - self.outline.inherited >= usize::from(self.limits.namespaces_max) {
            return Err(Error::Limit(Limit::Namespaces));
        }
        if prefix.is_empty() {
            self.default = index(self.outline.bindings.len());
        }
        self.outline.bindings.push(Binding { prefix, namespace, is_used: false });
        Ok(())
    }

    /// The name that a declaration's value stands for, which is nearly always the value as it is.
    fn namespace_name(&mut self, bytes: &[u8], value: Span) -> Result<Span, Error> {
        if self.is_plain {
            return Ok(value);
        }
        let Ok(raw) = std::str::from_utf8(value.of(bytes, "")) else { return Err(self.malformed()) };
        let unescaped = unescape::attribute(raw);
        Ok(self.keep(&unescaped))
    }

    /// What the name of the element around the target stands for, which was kept last.
    pub(super) fn resolve_parent(&mut self) {
        let (text, whole) = (&self.outline.text, self.parent);
        let name = whole.of(&[], text);
        let colon = name.iter().position(|&byte| byte == b':');
        let prefix = colon.and_then(|colon| name.get(..colon)).unwrap_or_default();
        let mut bindings = self.outline.bindings.iter().rev();
        let binding = bindings.find(|binding| binding.prefix.of(&[], text) == prefix);
        self.parent_namespace = binding.map_or_else(Span::default, |binding| binding.namespace);
        let local = whole.start() + colon.map_or(0, |colon| colon + 1);
        self.parent_local = Span::in_text(local, whole.end());
    }

    /// Whether the element whose start tag was read has the name of the one around the target.
    #[inline]
    pub(super) fn is_parent_again(&self, bytes: &[u8], namespace: Span) -> bool {
        let text = &self.outline.text;
        !self.parent.is_empty()
            && self.element_name.local.of(bytes, text) == self.parent_local.of(bytes, text)
            && namespace.of(bytes, text) == self.parent_namespace.of(bytes, text)
    }

    /// At the end of a start tag: the namespace of the element. Those of its attributes are noted with them.
    pub(super) fn resolve_tag(&mut self, bytes: &[u8]) -> Result<Span, Error> {
        let prefix = self.element_name.prefix;
        let namespace = if prefix.is_empty() {
            // The root's own name is written anew with the stanza, so it is no use of a declaration.
            self.note_use(self.default as usize, self.open.len() > 1)
        } else {
            let binding = self.find(bytes, prefix)?;
            self.note_use(binding, self.open.len() > 1)
        };
        if self.has_prefixed_attributes {
            self.resolve_attributes(bytes)?;
        }
        Ok(namespace)
    }

    fn resolve_attributes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for position in self.attributes..self.outline.attributes.len() {
            let Some(&attribute) = self.outline.attributes.get(position) else { break };
            if attribute.name.prefix.is_empty() {
                continue;
            }
            let binding = self.find(bytes, attribute.name.prefix)?;
            let namespace = self.note_use(binding, true);
            let text = &self.outline.text;
            let earlier = self.outline.attributes.get(self.attributes..position).unwrap_or_default();
            // Namespaces in XML 1.0, 6.3: unique by namespace and local name.
            let is_repeated = earlier.iter().any(|other| {
                other.name.local.of(bytes, text) == attribute.name.local.of(bytes, text)
                    && other.namespace.of(bytes, text) == namespace.of(bytes, text)
            });
            if is_repeated {
                return Err(self.malformed());
            }
            if let Some(attribute) = self.outline.attributes.get_mut(position) {
                attribute.namespace = namespace;
            }
        }
        Ok(())
    }

    /// The declaration that a prefix refers to.
    fn find(&self, bytes: &[u8], prefix: Span) -> Result<usize, Error> {
        let text = &self.outline.text;
        let prefix = prefix.of(bytes, text);
        let found =
            self.outline.bindings.iter().rposition(|binding| binding.prefix.of(bytes, text) == prefix);
        found.ok_or_else(|| self.bad_prefix())
    }

    /// The namespace of a declaration, which is noted as used.
    fn note_use(&mut self, binding: usize, is_used: bool) -> Span {
        let Some(binding) = self.outline.bindings.get_mut(binding) else { return Span::default() };
        binding.is_used |= is_used;
        binding.namespace
    }

    /// The default namespace in scope.
    pub(super) fn default_namespace(&self) -> Span {
        self.outline
            .bindings
            .get(self.default as usize)
            .map_or_else(Span::default, |binding| binding.namespace)
    }
}
