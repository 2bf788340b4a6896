//! The one pass over a stanza's bytes: where it ends, whether it is well-formed and allowed, what its prefixes mean.
//!
//! The scanner is a state machine that can stop after any byte and go on when there are more. All positions count
//! from the first byte of what is being scanned, so it does not matter where the bytes lie. What it could not decide
//! for want of bytes (a character, a reference, `]]>`) is at most 16 bytes long and is looked at again; nothing else
//! is, but for the beginning of an attribute that was not all there, once.

mod names;
mod tag;
mod text;

use crate::outline::{AttributeSpans, Binding, ChildSpans, Outline, QName, Span};
use crate::{Error, Limit, Limits};

/// Where in the syntax the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At a `<`.
    #[default]
    Markup,
    StartName,
    /// In a start tag, where an attribute may begin.
    AfterBlank,
    AttributeName,
    BeforeEquals,
    BeforeValue,
    Value,
    AfterValue,
    /// After the `/` of `/>`.
    Slash,
    EndName,
    AfterEndName,
    Text,
    Cdata,
}

/// What is being scanned for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    /// The start tag of the stream.
    Header,
    /// A whole element, or the end tag of the one around it, which makes this `End`.
    #[default]
    Element,
    /// The end tag of the stream.
    End,
}

/// Whether the bytes sufficed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All bytes were read and more are needed.
    More,
    /// The target is complete, and `position` behind it.
    Done,
}

/// How a state ended.
enum Step {
    Next,
    More,
    Done,
}

/// An element whose end tag has not been read.
#[derive(Clone, Copy, Debug)]
struct Open {
    name: Span,
    /// Declarations in scope around the element.
    bindings: u32,
    /// The default namespace around the element, as an index of the declarations.
    default: u32,
}

/// The state of one scan. Its vectors keep their capacity from one stanza to the next.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    pub(crate) outline: Outline,
    pub(crate) position: usize,
    pub(crate) limits: Limits,
    pub(crate) target: Target,
    /// The header was an empty element: the stream is over.
    pub(crate) is_empty_tag: bool,
    /// Position of the first byte in the stream, for errors.
    origin: u64,
    state: State,
    /// Where the tag, and where the name or value in it, began.
    tag: usize,
    mark: usize,
    /// Where the colon of the name being read is; 0 if there is none.
    colon: usize,
    /// Of the attribute being read: where its name ends, and its value begins.
    name_end: usize,
    value_start: usize,
    /// The value being read stands for itself, between quotes of either kind: no reference and no quote so far, no
    /// blank but spaces.
    is_plain: bool,
    /// Of the start tag being read.
    element_name: QName,
    quote: u8,
    open: Vec<Open>,
    /// Name of the element around the target; empty if none is open.
    parent: Span,
    /// The same without its prefix, and the namespace that it is in.
    parent_local: Span,
    parent_namespace: Span,
    inherited_default: u32,
    inherited_text: usize,
    elements: u32,
    /// Where the attributes of the current tag begin in the outline's.
    attributes: usize,
    /// Where the declarations of the current tag begin in the outline's.
    bindings: usize,
    /// The declaration of the default namespace in scope.
    default: u32,
    has_prefixed_attributes: bool,
}

impl Scanner {
    /// Sets what is declared around the elements to come, as pairs of prefix and namespace, and the name of the
    /// element around them, if one is open.
    pub(crate) fn inherit<'a>(
        &mut self,
        parent: &str,
        declarations: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        self.outline.text.clear();
        self.outline.bindings.clear();
        self.inherited_default = 0;
        self.declare_inherited("", "");
        self.declare_inherited("xml", crate::XML_NS);
        for (prefix, namespace) in declarations {
            if prefix.is_empty() {
                self.inherited_default = names::index(self.outline.bindings.len());
            }
            self.declare_inherited(prefix, namespace);
        }
        self.parent = self.keep(parent);
        self.resolve_parent();
        self.outline.inherited = self.outline.bindings.len();
        self.inherited_text = self.outline.text.len();
    }

    /// Begins a scan at a `<`, in what was inherited.
    pub(crate) fn begin(&mut self, target: Target, limits: Limits, origin: u64) {
        self.outline.attributes.clear();
        self.outline.children.clear();
        self.outline.text.truncate(self.inherited_text);
        self.outline.bindings.truncate(self.outline.inherited);
        for binding in &mut self.outline.bindings {
            binding.is_used = false;
        }
        self.default = self.inherited_default;
        self.open.clear();
        self.position = 0;
        self.limits = limits;
        self.target = target;
        self.origin = origin;
        self.state = State::Markup;
        self.elements = 0;
        self.attributes = 0;
        self.is_empty_tag = false;
    }

    /// Reads on in `bytes`, which begin where the scan began. A state hands over to the one behind it by itself where that
    /// is known; the state says where to go on once there are more bytes.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<Progress, Error> {
        loop {
            let step = match self.state {
                State::Markup => self.markup(bytes)?,
                State::StartName => self.start_name(bytes)?,
                State::AfterBlank => self.after_blank(bytes)?,
                State::AttributeName => self.attribute_name(bytes)?,
                State::BeforeEquals => self.before_equals(bytes)?,
                State::BeforeValue => self.before_value(bytes)?,
                State::Value => self.value(bytes)?,
                State::AfterValue => self.after_value(bytes)?,
                State::Slash => self.slash(bytes)?,
                State::EndName => self.end_name(bytes)?,
                State::AfterEndName => self.after_end_name(bytes)?,
                State::Text => self.text(bytes)?,
                State::Cdata => self.cdata(bytes)?,
            };
            match step {
                Step::Next => {}
                Step::More => return Ok(Progress::More),
                Step::Done => return Ok(Progress::Done),
            }
        }
    }

    /// Bytes that its vectors hold, about.
    pub(crate) fn held_bytes(&self) -> usize {
        let outline = &self.outline;
        outline.text.capacity()
            + outline.attributes.capacity() * size_of::<AttributeSpans>()
            + outline.children.capacity() * size_of::<ChildSpans>()
            + outline.bindings.capacity() * size_of::<Binding>()
            + self.open.capacity() * size_of::<Open>()
    }

    fn malformed(&self) -> Error {
        Error::NotWellFormed(self.origin + self.position as u64)
    }

    fn restricted(&self) -> Error {
        Error::Restricted(self.origin + self.position as u64)
    }

    fn bad_prefix(&self) -> Error {
        Error::BadNamespacePrefix(self.origin + self.position as u64)
    }

    /// Counts an element that begins.
    fn count_element(&mut self) -> Result<(), Error> {
        self.elements += 1;
        if self.elements > self.limits.elements_max {
            return Err(Error::Limit(Limit::Elements));
        }
        Ok(())
    }
}
