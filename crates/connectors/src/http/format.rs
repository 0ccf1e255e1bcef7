//! What a download is, told by the names that it goes by and by its content type.

use std::path::Path;

use formats::{FileFormat, Layout};
use ureq::http::{HeaderMap, header};
use url::Url;

/// The kind of a download.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows that a format reads.
    Rows(FileFormat),
    /// One JSON document with records in it.
    Json,
    /// A ZIP archive of files.
    Zip,
}

impl Kind {
    /// Tells the kind by the end of a name.
    pub(super) fn of_name(name: &str, layout: &Layout) -> Option<Self> {
        let lower = name.to_lowercase();
        if lower.ends_with(".zip") {
            return Some(Self::Zip);
        }
        if lower.ends_with(".json") || lower.ends_with(".json.gz") {
            return Some(Self::Json);
        }
        let format = FileFormat::of_path(Path::new(name), layout);
        format.ok().map(Self::Rows)
    }
}

/// Returns the name that tells the kind of an answer; `asked` is the URL of the address, `given` that of the answer.
pub(super) fn name_of(
    asked: &Url,
    given: &Url,
    headers: &HeaderMap,
    layout: &Layout,
) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let attached = text(header::CONTENT_DISPOSITION).and_then(file_name);
    let by_type = text(header::CONTENT_TYPE).and_then(of_type);
    let names = [
        Some(last_segment(asked)),
        attached,
        Some(last_segment(given)),
        by_type.map(str::to_owned),
    ];
    let mut names = names.into_iter().flatten();
    names.find(|name| Kind::of_name(name, layout).is_some())
}

fn last_segment(url: &Url) -> String {
    let segment = url.path_segments().and_then(|mut path| path.next_back());
    segment.unwrap_or_default().to_owned()
}

/// Reads `attachment; filename="x.csv"`.
fn file_name(disposition: &str) -> Option<String> {
    let parts = disposition
        .split(';')
        .filter_map(|part| part.trim().split_once('='));
    let mut names = parts.filter(|(name, _)| name.trim().eq_ignore_ascii_case("filename"));
    names
        .next()
        .map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// Returns a name that ends as files of a content type do.
fn of_type(content_type: &str) -> Option<&'static str> {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    match essence.as_str() {
        "text/csv" | "application/csv" => Some("x.csv"),
        "text/tab-separated-values" => Some("x.tsv"),
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/json-seq" => Some("x.jsonl"),
        "application/json" => Some("x.json"),
        "application/zip" | "application/x-zip-compressed" => Some("x.zip"),
        "application/vnd.apache.parquet" => Some("x.parquet"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderValue;

    use super::*;

    fn check(asked: &str, given: &str, headers: &[(&'static str, &str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let url = |text| Url::parse(text).unwrap();
        let layout = Layout::default();
        let found = name_of(&url(asked), &url(given), &map, &layout);
        let found = found.and_then(|name| Kind::of_name(&name, &layout));
        let shown = format!("{found:?}");
        assert!(shown.contains(expected), "{expected} in {shown}");
    }

    #[test]
    fn names_go_before_the_content_type() {
        let plain = ("content-type", "text/csv; charset=utf-8");
        let attached = ("content-disposition", "attachment; filename=\"a.jsonl.gz\"");
        check(
            "https://h/a.parquet",
            "https://h/b.csv",
            &[plain, attached],
            "Parquet",
        );
        check(
            "https://h/a",
            "https://h/b.zip",
            &[plain, attached],
            "JsonLines",
        );
        check("https://h/a", "https://h/b.zip", &[plain], "Zip");
        check("https://h/a", "https://h/b", &[plain], "Csv");
        check(
            "https://h/",
            "https://h/",
            &[("content-type", "application/json")],
            "Json",
        );
        check(
            "https://h/",
            "https://h/",
            &[("content-type", "text/html")],
            "None",
        );
    }
}
