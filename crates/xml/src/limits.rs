//! What a stream may make us hold.

/// Limits, checked while reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one stanza, of the stream header, or of white space between stanzas held at once.
    pub stanza_bytes_max: u32,
    /// Nested elements, the stanza itself being 1.
    pub depth_max: u16,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes_max: u16,
    /// Namespace declarations of one element.
    pub namespaces_max: u16,
    /// Elements in one stanza, itself included.
    pub elements_max: u32,
}
