//! HTML under construction: text from outside is escaped where it enters, and nowhere else.

use std::fmt::Display;

/// Well-formed HTML that is safe to show.
///
/// Strings become [`Markup`] by being escaped; only what this program's own source spells out is taken
/// as it is. The result is also well-formed XML, so that a strict parser can check a whole page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup(String);

impl Markup {
    /// Escapes a text; control characters, which XML cannot hold, become U+FFFD.
    pub fn text(text: impl Display) -> Self {
        let mut escaped = String::new();
        for c in text.to_string().chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
                c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
                c => escaped.push(c),
            }
        }
        Self(escaped)
    }

    /// Takes markup that the source code spells out; nothing else lives that long.
    pub fn literal(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Takes what a drawing library has written, which escapes by itself.
    pub(crate) fn drawn(svg: &str) -> Self {
        Self(svg.to_owned())
    }

    /// Returns the HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Makes an element; attribute values are escaped like any text.
pub fn tag(name: &str, attributes: &[(&str, &str)], content: impl Into<Markup>) -> Markup {
    let mut html = format!("<{name}");
    for (attribute, value) in attributes {
        html += &format!(" {attribute}=\"{}\"", Markup::text(value).0);
    }
    let content = content.into();
    if content.is_empty() && is_void(name) {
        return Markup(html + "/>");
    }
    Markup(html + ">" + &content.0 + "</" + name + ">")
}

/// Elements that HTML wants without an end tag, and SVG shapes without content.
fn is_void(name: &str) -> bool {
    matches!(name, "meta" | "br" | "rect" | "circle" | "line" | "path")
}

impl From<&str> for Markup {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Markup {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Markup {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}

impl From<Option<Markup>> for Markup {
    fn from(content: Option<Markup>) -> Self {
        content.unwrap_or_default()
    }
}

impl From<Vec<Markup>> for Markup {
    fn from(parts: Vec<Markup>) -> Self {
        parts.into_iter().collect()
    }
}

impl<const N: usize> From<[Markup; N]> for Markup {
    fn from(parts: [Markup; N]) -> Self {
        parts.into_iter().collect()
    }
}

impl FromIterator<Markup> for Markup {
    fn from_iter<I: IntoIterator<Item = Markup>>(parts: I) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_wherever_it_enters() {
        let hostile = "<script>\"it's\" & \u{0}\u{7f}";
        let html = tag("p", &[("title", hostile)], hostile);
        let escaped = "&lt;script&gt;&quot;it&#39;s&quot; &amp; \u{fffd}\u{fffd}";
        assert_eq!(
            html.as_str(),
            format!("<p title=\"{escaped}\">{escaped}</p>")
        );
    }

    #[test]
    fn only_void_elements_close_themselves() {
        assert_eq!(tag("br", &[], "").as_str(), "<br/>");
        assert_eq!(tag("td", &[], "").as_str(), "<td></td>");
        let rect = tag("rect", &[], tag("title", &[], "a"));
        assert_eq!(rect.as_str(), "<rect><title>a</title></rect>");
    }
}
