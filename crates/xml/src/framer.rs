//! Frames of an endless stream: its header, its first-level elements, its end.

mod declaration;
mod pool;

use crate::char_class::{self, BLANK};
use crate::outline::RawElement;
use crate::scanner::{Progress, Target};
use crate::{Error, Limit, Limits};
use declaration::Declaration;
use pool::Scratch;

/// Bytes added to a frame that is kept before it is scanned on: what lies behind its end was copied for nothing.
const STEP_BYTES: usize = 4096;

/// Frames an endless stream: a header, first-level elements, the end. Any split of the input gives the same frames.
///
/// Between frames it holds no more than the declarations of the stream header; what a frame needs besides is
/// taken from a pool of the thread when the frame begins, and given back when [`next`](Self::next) finds no other.
///
/// ```
/// use stentor_xml::{Frame, Framer, Limits};
/// let mut framer = Framer::new(Limits::CLIENT);
/// let mut read: &[u8] = b"<stream xmlns='jabber:client' to='example.net'><presence/><mess";
/// let mut seen = Vec::new();
/// while let Some(frame) = framer.next(&mut read)? {
///     match frame {
///         Frame::Header(raw) => seen.push(raw.attribute("to").unwrap_or_default().into_owned()),
///         Frame::Element(raw) => seen.push(raw.name().to_owned()),
///         Frame::End => break,
///     }
/// }
/// assert_eq!(seen, ["example.net", "presence"]);
/// assert!(framer.is_partial());
/// # Ok::<(), stentor_xml::Error>(())
/// ```
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    /// Position in the stream of the first byte that belongs to no finished frame.
    offset: u64,
    /// The header's name, then prefix and namespace of each of its declarations, all ended by NUL, which no XML has.
    header: Box<str>,
    stage: Stage,
    /// A frame was begun and is not finished.
    is_partial: bool,
    /// The last frame's bytes are in the scratch.
    is_lent: bool,
    scratch: Option<Box<Scratch>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// As `Start`, but white space may come first: it ended the stream before (`</auth>` and a line feed).
    Restarted,
    /// At the stream's first byte, where an XML declaration may stand.
    Start,
    Header,
    Body,
    /// The header was an empty element, so the stream ended with it.
    EmptyStream,
    Ended,
}

/// What was read to its end, if anything was, and its bytes, unless they are in the scratch.
type Found<'i, T> = Option<(T, Option<&'i [u8]>)>;

/// What the framer found.
#[derive(Debug)]
pub enum Frame<'a> {
    /// The root's start tag (`<stream:stream ...>`). As `RawElement` with no children.
    Header(RawElement<'a>),
    /// A whole first-level element, validated.
    Element(RawElement<'a>),
    /// The root's end tag.
    End,
}

impl Framer {
    /// A framer that expects a stream header.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            offset: 0,
            header: Box::default(),
            stage: Stage::Start,
            is_partial: false,
            is_lent: false,
            scratch: None,
        }
    }

    /// A framer for elements without a stream around them (RFC 7395 3.3, stored stanzas), in a default namespace.
    #[must_use]
    pub fn fragments(limits: Limits, default_namespace: &str) -> Self {
        let mut framer = Self::new(limits);
        framer.header = ["\0\0", default_namespace, "\0"].concat().into_boxed_str();
        framer.stage = Stage::Body;
        framer
    }

    /// Other limits from the next frame on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Forgets the stream and everything read but not yet framed: a new header is expected (after TLS, after SASL).
    pub fn restart(&mut self) {
        *self = Self::new(self.limits);
        self.stage = Stage::Restarted;
    }

    /// Whether a frame was begun and not finished (a time limit on slow senders hangs on this).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// The next frame; advances `input` past what was read. `None`: all of `input` was read and more is needed.
    /// White space between stanzas is skipped (a keep-alive).
    ///
    /// # Errors
    /// What is wrong with the bytes. The framer must not be used any more, but for [`restart`](Self::restart).
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'a>>, Error> {
        if std::mem::take(&mut self.is_lent)
            && let Some(scratch) = &mut self.scratch
        {
            scratch.buffer.clear();
        }
        let Some((target, bytes)) = self.read(input)? else {
            if !self.is_partial {
                self.release();
            }
            return Ok(None);
        };
        let start = self.offset;
        let Some(scratch) = self.scratch.as_deref() else { return Ok(Some(Frame::End)) };
        // The scanner has checked this already, but only this may say so to the compiler; it is fast.
        let bytes = bytes.unwrap_or(&scratch.buffer);
        let Ok(bytes) = simdutf8::basic::from_utf8(bytes) else { return Err(Error::NotWellFormed(start)) };
        let element = RawElement { bytes, outline: &scratch.scanner.outline };
        self.offset += bytes.len() as u64;
        Ok(Some(match target {
            Target::Element => Frame::Element(element),
            Target::End => Frame::End,
            Target::Header => {
                self.header = header(&element);
                Frame::Header(element)
            }
        }))
    }

    fn release(&mut self) {
        if let Some(scratch) = self.scratch.take() {
            pool::give(scratch);
        }
    }

    /// Reads to the end of a frame.
    fn read<'i>(&mut self, input: &mut &'i [u8]) -> Result<Found<'i, Target>, Error> {
        loop {
            if !self.is_partial {
                if self.stage == Stage::EmptyStream {
                    self.stage = Stage::Ended;
                    return Ok(Some((Target::End, Some(&[]))));
                }
                if !self.begin(input)? {
                    return Ok(None);
                }
            }
            let Some((target, bytes)) = self.read_on(input)? else { return Ok(None) };
            if let Some(target) = target {
                return Ok(Some((target, bytes)));
            }
            // An XML declaration is no frame of its own.
        }
    }

    /// Skips white space to where a frame begins. Whether there is one.
    fn begin(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        if self.stage == Stage::Restarted {
            *input = input.get(char_class::run(input, BLANK)..).unwrap_or_default();
            if input.is_empty() {
                return Ok(false);
            }
            self.stage = Stage::Start;
        }
        // XML 1.0 2.8: nothing stands before an XML declaration.
        if self.stage != Stage::Start || input.first().is_some_and(|&byte| char_class::is(byte, BLANK)) {
            let blanks = char_class::run(input, BLANK);
            *input = input.get(blanks..).unwrap_or_default();
            self.offset += blanks as u64;
            if blanks > 0 && self.stage == Stage::Start {
                self.stage = Stage::Header;
            }
        }
        match input.first() {
            None => return Ok(false),
            Some(b'<') if self.stage != Stage::Ended => {}
            Some(_) => return Err(Error::NotWellFormed(self.offset)),
        }
        let target = if self.stage == Stage::Body { Target::Element } else { Target::Header };
        let header = &self.header;
        let scratch = self.scratch.get_or_insert_with(pool::take);
        if !scratch.has_inherited {
            let mut parts = header.split_terminator('\0');
            let parent = parts.next().unwrap_or_default();
            let declarations = std::iter::from_fn(|| Some((parts.next()?, parts.next()?)));
            scratch.scanner.inherit(parent, declarations);
            // A header's outline is overwritten by what it declares.
            scratch.has_inherited = target == Target::Element;
        }
        scratch.scanner.begin(target, self.limits, self.offset);
        self.is_partial = true;
        Ok(true)
    }

    /// Reads on in a frame that was begun. The inner `None` is an XML declaration.
    #[expect(clippy::type_complexity, reason = "two lines above its only use")]
    fn read_on<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<(Option<Target>, Option<&'a [u8]>)>, Error> {
        let Some(mut scratch) = self.scratch.take() else { return Ok(None) };
        let bytes_max = scratch.scanner.limits.stanza_bytes_max as usize;
        let found = if scratch.buffer.is_empty() {
            let window = input.get(..bytes_max).unwrap_or(input);
            match self.scan(&mut scratch, window)? {
                Some(target) => {
                    let (bytes, rest) = input.split_at(scratch.scanner.position.min(input.len()));
                    *input = rest;
                    Some((target, Some(bytes)))
                }
                None if window.len() >= bytes_max => return Err(Error::Limit(Limit::StanzaBytes)),
                None => {
                    scratch.buffer.extend_from_slice(window);
                    *input = &[];
                    None
                }
            }
        } else {
            self.read_kept(&mut scratch, input)?.map(|target| (target, None))
        };
        if let Some((target, bytes)) = found {
            self.is_partial = false;
            if target.is_none() {
                self.offset += bytes.map_or(scratch.buffer.len(), <[u8]>::len) as u64;
                scratch.buffer.clear();
            }
            self.is_lent = target.is_some() && bytes.is_none();
        }
        self.scratch = Some(scratch);
        Ok(found)
    }

    /// Adds input to a kept frame until it is complete.
    fn read_kept(
        &mut self,
        scratch: &mut Scratch,
        input: &mut &[u8],
    ) -> Result<Option<Option<Target>>, Error> {
        let bytes_max = scratch.scanner.limits.stanza_bytes_max as usize;
        while !input.is_empty() {
            let room = bytes_max.saturating_sub(scratch.buffer.len());
            let step = input.get(..room.min(STEP_BYTES)).unwrap_or(input);
            let kept = scratch.buffer.len();
            scratch.buffer.extend_from_slice(step);
            let buffer = std::mem::take(&mut scratch.buffer);
            let found = self.scan(scratch, &buffer);
            scratch.buffer = buffer;
            if let Some(target) = found? {
                let end = scratch.scanner.position;
                scratch.buffer.truncate(end);
                *input = input.get(end.saturating_sub(kept)..).unwrap_or_default();
                return Ok(Some(target));
            }
            if scratch.buffer.len() >= bytes_max {
                return Err(Error::Limit(Limit::StanzaBytes));
            }
            *input = input.get(step.len()..).unwrap_or_default();
        }
        Ok(None)
    }

    /// Scans a frame's bytes from its beginning on. The inner `None` is an XML declaration.
    fn scan(&mut self, scratch: &mut Scratch, bytes: &[u8]) -> Result<Option<Option<Target>>, Error> {
        if self.stage == Stage::Start {
            match declaration::read(bytes, self.offset)? {
                Declaration::Partial => return Ok(None),
                Declaration::Absent => self.stage = Stage::Header,
                Declaration::Complete(length) => {
                    scratch.scanner.position = length;
                    self.stage = Stage::Header;
                    return Ok(Some(None));
                }
            }
        }
        if scratch.scanner.scan(bytes)? == Progress::More {
            return Ok(None);
        }
        match scratch.scanner.target {
            Target::Element => {}
            Target::End => self.stage = Stage::Ended,
            Target::Header if scratch.scanner.is_empty_tag => self.stage = Stage::EmptyStream,
            Target::Header => self.stage = Stage::Body,
        }
        Ok(Some(Some(scratch.scanner.target)))
    }
}

impl Drop for Framer {
    fn drop(&mut self) {
        self.release();
    }
}

/// What a framer keeps of a stream header.
fn header(element: &RawElement<'_>) -> Box<str> {
    let mut header = String::new();
    if !element.prefix().is_empty() {
        header.push_str(element.prefix());
        header.push(':');
    }
    header.push_str(element.name());
    header.push('\0');
    for (prefix, namespace) in element.own_declarations() {
        header.extend([prefix, "\0", namespace, "\0"]);
    }
    header.into_boxed_str()
}

#[cfg(test)]
mod tests;
