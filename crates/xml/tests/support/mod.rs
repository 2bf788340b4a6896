//! Documents for tests: fragments of XML, good and hostile, put together at random, and a little damage.

/// A generator whose whole sequence its seed tells (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.get(self.below(from.len())).expect("below its length")
    }

    /// One time in `n`.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                          xmlns:stream='http://etherx.jabber.org/streams' xmlns:q='urn:q' to='a'>";

const NAMES: [&str; 9] =
    ["a", "b", "message", "q:x", "p:y", "xml:z", "stream:stream", "\u{e9}t\u{e9}", "a-1._b"];
const BAD_NAMES: [&str; 10] = ["1a", ":a", "a:", "a:b:c", "nope:a", "xmlns:a", "-a", "", "a\u{d7}", "a:1b"];
const TEXTS: [&str; 12] = [
    "x",
    "\u{e9}",
    "\u{1F339}",
    "&amp;&lt;&gt;&quot;&apos;",
    "&#65;&#x1F339;&#10;&#13;",
    "]]",
    "a>b",
    "\r\n\r\t",
    "<![CDATA[<a>&amp;]]]]>",
    "<![CDATA[]]>",
    "'\"",
    "\u{FFFD}\u{7F}\u{85}\u{2028}",
];
const BAD_TEXTS: [&str; 18] = [
    "&",
    "&nbsp;",
    "&#0;",
    "&#1;",
    "&#xD800;",
    "&#xFFFE;",
    "&#xFFFF;",
    "&amp",
    "]]>",
    "\0",
    "\u{1}",
    "\u{FFFF}",
    "\u{FFFE}",
    "<!-- c -->",
    "<?pi x?>",
    "<!DOCTYPE a [<!ENTITY e 'x'>]>",
    "<![CDATA[\u{1}]]>",
    "<![cdata[x]]>",
];
const NAMESPACES: [&str; 7] =
    ["urn:q", "urn:p", "jabber:client", "a&amp;b", "x\ny", "http://etherx.jabber.org/streams", "urn:&#x70;"];
const BAD_DECLARATIONS: [&str; 7] = [
    "xmlns:p=''",
    "xmlns:xml='urn:x'",
    "xmlns:xmlns='urn:x'",
    "xmlns='http://www.w3.org/2000/xmlns/'",
    "xmlns:p='http://www.w3.org/XML/1998/namespace'",
    "xmlns='http://www.w3.org/XML/1998/namespace'",
    "xmlns:p='urn:1' xmlns:p='urn:2'",
];
const BAD_ATTRIBUTES: [&str; 10] = [
    "a",
    "a=b",
    "a='<'",
    "a=\"",
    "a='1'b='2'",
    "a='1' a='2'",
    "q:c='1' r:c='2' xmlns:r='urn:q'",
    "nope:a='1'",
    "a='&nbsp;'",
    "a='\u{1}'",
];

/// A stanza, or what is meant to look like one. With `hostile`, something in it is usually wrong.
pub(crate) fn stanza(random: &mut Random, hostile: bool) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    for _ in 0..2 + random.below(12) {
        match random.below(5) {
            _ if open.is_empty() && !out.is_empty() => break,
            0 | 1 => tag(random, hostile, &mut open, &mut out),
            _ if open.is_empty() => tag(random, hostile, &mut open, &mut out),
            2 => out.push_str(random.pick(&TEXTS)),
            3 if hostile && random.one_in(4) => out.push_str(random.pick(&BAD_TEXTS)),
            3 => out.push_str(random.pick(&TEXTS)),
            _ => end(random, hostile, &mut open, &mut out),
        }
    }
    while !open.is_empty() {
        end(random, hostile, &mut open, &mut out);
    }
    out
}

fn tag(random: &mut Random, hostile: bool, open: &mut Vec<&str>, out: &mut String) {
    let is_bad = hostile && random.one_in(16);
    let name = if is_bad { random.pick(&BAD_NAMES) } else { random.pick(&NAMES) };
    out.push('<');
    out.push_str(name);
    // `p` is declared nowhere outside.
    if name.starts_with("p:") && !(hostile && random.one_in(8)) {
        out.push_str(" xmlns:p='urn:p'");
    }
    if random.one_in(4) {
        let namespace = random.pick(&NAMESPACES);
        let prefix = random.pick(&["xmlns", "xmlns", "xmlns:r", "xmlns:q"]);
        out.push_str(&format!(" {prefix}='{namespace}'"));
    }
    if hostile && random.one_in(24) {
        out.push_str(&format!(" {}", random.pick(&BAD_DECLARATIONS)));
    }
    if random.one_in(2) {
        let value = random.pick(&["1", "it's", "&lt;&#9;", "\n", "\u{e9}]]>", ""]).replace('\'', "&apos;");
        out.push_str(&format!(
            "{}{}{}'{value}'",
            random.pick(&[" ", "\n ", "\t"]),
            random.pick(&["k", "q:k", "xml:lang", "type"]),
            random.pick(&["=", " = ", "=\r\n"])
        ));
    }
    if hostile && random.one_in(24) {
        out.push_str(&format!(" {}", random.pick(&BAD_ATTRIBUTES)));
    }
    if random.one_in(3) {
        out.push_str(random.pick(&["/>", " />"]));
    } else {
        out.push_str(random.pick(&[">", " >"]));
        open.push(name);
    }
}

fn end(random: &mut Random, hostile: bool, open: &mut Vec<&str>, out: &mut String) {
    let Some(name) = open.pop() else { return };
    let name = if hostile && random.one_in(32) { random.pick(&NAMES) } else { name };
    let tail = if hostile && random.one_in(32) { " a='1'" } else { random.pick(&["", "", " "]) };
    out.push_str(&format!("</{name}{tail}>"));
}

/// Changes a few bytes.
pub(crate) fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(3) {
        let place = random.below(bytes.len().max(1));
        match random.below(4) {
            0 => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte = random.next() as u8),
            1 if place < bytes.len() => drop(bytes.remove(place)),
            2 => bytes.insert(place, random.pick(b"<>&;'\"/=: ]!?\0\xC3\xFF\xED\xA0a")),
            _ => bytes.truncate(place),
        }
    }
}
