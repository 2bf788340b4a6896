//! Contract; the implementation follows.
/// Appends text with `<`, `>`, `&` and carriage return escaped.
pub fn escape_text(text: &str, out: &mut String) { let _ = (text, out); todo!() }
/// Appends an attribute value for single or double quotes: also quotes, tab, newline escaped.
pub fn escape_attribute(value: &str, out: &mut String) { let _ = (value, out); todo!() }
