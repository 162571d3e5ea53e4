//! What all pages share: the templates, the style, and how parts are put in.

use crate::draw::svg::escape;

pub(super) const TEMPLATE: &str = include_str!("../../assets/page/page.html");
const SIMPLE: &str = include_str!("../../assets/page/simple.html");
pub(super) const STYLE: &str = include_str!("../../assets/page/style.css");
pub(super) const SCRIPT: &str = include_str!("../../assets/page/chart.js");
const COPY: &str = include_str!("../../assets/page/copy.js");

/// What a page without a run is made of.
pub(super) struct Parts<'a> {
    pub(super) heading: &'a str,
    pub(super) lead: &'a str,
    /// HTML.
    pub(super) sections: &'a str,
    /// TOML.
    pub(super) config: &'a str,
    /// The file beside the page that holds the figures.
    pub(super) files: &'a str,
    /// The data of interactive charts, where there are any.
    pub(super) data: Option<String>,
}

/// A page in the design of a run's; scripts add the buttons that copy and charts that zoom.
pub(super) fn simple(parts: &Parts<'_>) -> String {
    fill(SIMPLE, &|name| match name {
        "title" => escape(&format!("{} - wavetrain", parts.heading)),
        "style" => STYLE.into(),
        "version" => env!("CARGO_PKG_VERSION").into(),
        "heading" => escape(parts.heading),
        "lead" => escape(parts.lead),
        "sections" => parts.sections.into(),
        "config" => escape(parts.config),
        "files" => escape(parts.files),
        "data" => parts.data.clone().unwrap_or_else(|| "null".into()),
        "script" => format!("{COPY}{SCRIPT}"),
        _ => String::new(),
    })
}

/// A row of a table: its name and its cells, as text.
pub(super) fn row(name: &str, cells: &[String]) -> String {
    let cells = cells
        .iter()
        .map(|cell| format!("<td>{}</td>", escape(cell)));
    format!(
        "<tr><th scope=\"row\">{}</th>{}</tr>\n",
        escape(name),
        cells.collect::<String>()
    )
}

/// A table of `rows` under `heads`.
pub(super) fn table(caption: &str, heads: &[&str], rows: &str) -> String {
    table_of_class("", caption, heads, rows)
}

/// The same where the last column says something in words.
pub(super) fn telling_table(caption: &str, heads: &[&str], rows: &str) -> String {
    table_of_class(" class=\"telling\"", caption, heads, rows)
}

fn table_of_class(class: &str, caption: &str, heads: &[&str], rows: &str) -> String {
    let heads = heads
        .iter()
        .map(|head| format!("<th scope=\"col\">{head}</th>"));
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table{class}>\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        heads.collect::<String>()
    )
}

/// The text with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// The template with each `{{name}}` replaced. What is put in is not looked at again, so no text of
/// a run can stand for another part.
pub(super) fn fill(template: &str, part: &dyn Fn(&str) -> String) -> String {
    let mut page = String::with_capacity(template.len() * 4);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        page.push_str(&part(name));
        rest = after;
    }
    page.push_str(rest);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_not_looked_at_again() {
        let filled = fill("<{{a}}|{{b}}>", &|name| match name {
            "a" => "{{b}}".into(),
            _ => "x".into(),
        });
        assert_eq!(filled, "<{{b}}|x>");
    }

    #[test]
    fn style_and_script_cannot_end_their_elements() {
        assert!(
            [STYLE, SCRIPT, COPY]
                .iter()
                .all(|asset| !asset.contains("</"))
        );
        for asset in [TEMPLATE, SIMPLE, STYLE, SCRIPT, COPY] {
            let outside = asset.replace("http://www.w3.org/2000/svg", "");
            for address in ["http:", "https:", "url(h", "@import", "fetch("] {
                assert!(!outside.contains(address), "{address}");
            }
        }
    }
}
