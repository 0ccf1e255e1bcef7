//! One file out of a ZIP archive.

use std::fs::File;

use zip::ZipArchive;

use super::{download::Limits, encoding::spooled};

/// Unpacks the member that is named, or the only one whose name `is_known`; returns it with its name.
pub(super) fn unpack(
    archive: File,
    member: Option<&str>,
    is_known: impl Fn(&str) -> bool,
    limits: Limits,
) -> Result<(File, String), String> {
    let length = archive.metadata().map_err(|e| e.to_string())?.len();
    let mut archive = ZipArchive::new(archive).map_err(|e| format!("it is no ZIP archive: {e}"))?;
    let listed: Result<Vec<_>, _> = archive.file_names().collect();
    let listed = listed.map_err(|e| format!("its list of files cannot be read: {e}"))?;
    let names: Vec<String> = listed.into_iter().map(Into::into).collect();
    let name = choose(&names, member, is_known)?;
    let file = archive
        .by_name(&name)
        .map_err(|e| format!("`{name}`: {e}"))?;
    let unpacked = spooled(file, length, limits).map_err(|e| format!("`{name}`: {e}"))?;
    Ok((unpacked, name))
}

fn choose(
    names: &[String],
    member: Option<&str>,
    is_known: impl Fn(&str) -> bool,
) -> Result<String, String> {
    let among = |names: &[&String]| {
        let shown: Vec<String> = names
            .iter()
            .take(10)
            .map(|name| format!("`{name}`"))
            .collect();
        shown.join(", ")
    };
    let all: Vec<&String> = names.iter().filter(|name| !name.ends_with('/')).collect();
    if let Some(member) = member {
        let found = all.iter().find(|name| **name == member);
        let missing = || format!("the archive has no file `{member}`: it has {}", among(&all));
        return found.map(|name| (*name).clone()).ok_or_else(missing);
    }
    // macOS puts a shadow beside each file.
    let is_shadow = |name: &str| name.starts_with("__MACOSX/");
    let known: Vec<&String> = all
        .iter()
        .copied()
        .filter(|name| is_known(name) && !is_shadow(name))
        .collect();
    let of_rows = |is_left: fn(&str, &[&String]) -> bool| -> Vec<&String> {
        let left = known.iter().filter(|name| is_left(name, &known));
        left.copied().collect()
    };
    let choices = [
        known.clone(),
        of_rows(|name, _| !is_aside(name)),
        of_rows(|name, all| !is_aside(name) && !is_about(name, all)),
    ];
    let only = choices.iter().find(|names| names.len() == 1);
    match only.and_then(|names| names.first()) {
        Some(only) => Ok((*only).clone()),
        None if known.is_empty() => Err(format!(
            "the archive has no file of a known format: it has {}",
            among(&all)
        )),
        None => Err(format!(
            "the archive has several files of rows, {}: name one, #member=NAME",
            among(&known)
        )),
    }
}

/// Returns whether a file is not what an archive is for: it is hidden, or says what is in there.
fn is_aside(name: &str) -> bool {
    let name = file_name(name).to_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    ["", "readme", "read me", "read_me", "license", "licence"].contains(&stem)
}

/// Returns whether a text is about the others. One that is called as another is may be the same rows.
fn is_about(name: &str, all: &[&String]) -> bool {
    let text_of = |name: &str| -> Option<String> {
        let lower = file_name(name).to_lowercase();
        let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
        plain.strip_suffix(".txt").map(str::to_owned)
    };
    let Some(stem) = text_of(name) else {
        return false;
    };
    let mut others = all.iter().filter(|other| text_of(other).is_none());
    others.all(|other| {
        !file_name(other)
            .to_lowercase()
            .starts_with(&format!("{stem}."))
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        time::Duration,
    };

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> File {
        let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, content) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap()
    }

    fn check(files: &[(&str, &[u8])], member: Option<&str>, expected: &str) {
        check_within(1 << 30, files, member, expected);
    }

    fn check_within(bytes: u64, files: &[(&str, &[u8])], member: Option<&str>, expected: &str) {
        let limits = Limits {
            time: Duration::ZERO,
            bytes,
        };
        let endings = [".csv", ".txt", ".arff"];
        let is_rows = |name: &str| endings.iter().any(|ending| name.ends_with(ending));
        let found = match unpack(archive(files), member, is_rows, limits) {
            Ok((mut file, name)) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                format!("{name} {text}")
            }
            Err(reason) => reason,
        };
        assert!(found.contains(expected), "{expected} in {found}");
    }

    #[test]
    fn the_only_file_of_rows_is_meant_unless_one_is_named() {
        let one: [(&str, &[u8]); 3] = [
            ("r/readme.md", b"x"),
            ("__MACOSX/r/a.csv", b"y"),
            ("r/a.csv", b"a,b"),
        ];
        check(&one, None, "r/a.csv a,b");
        let two: [(&str, &[u8]); 2] = [("a.csv", b"1"), ("b.csv", b"2")];
        check(&two, None, "several files of rows, `a.csv`, `b.csv`");
        check(&two, Some("b.csv"), "b.csv 2");
        check(&two, Some("c.csv"), "has no file `c.csv`");
        check(
            &[("a.md", b"1")],
            None,
            "no file of a known format: it has `a.md`",
        );
    }

    #[test]
    fn what_is_about_the_rows_does_not_count_beside_them() {
        let only = |others: &[&str]| {
            let mut files: Vec<(&str, &[u8])> = vec![("d/Training Dataset.arff", &b"rows"[..])];
            files.extend(others.iter().map(|name| (*name, &b"words"[..])));
            check(&files, None, "d/Training Dataset.arff rows");
        };
        only(&["readme.txt", "LICENSE", "d/about.names", "d/notes.md"]);
        only(&["d/.old.arff", "Phishing Websites Features.docx"]);
        only(&["Readme.csv", "d/columns.txt", "d/license.txt"]);
        let several = |others: &[&str]| {
            let mut files: Vec<(&str, &[u8])> = vec![("a.arff", &b"rows"[..])];
            files.extend(others.iter().map(|name| (*name, &b"rows"[..])));
            check(&files, None, "several files of rows, `a.arff`");
        };
        several(&["b.arff", "readme.txt"]);
        several(&["license_plates.csv", "readmes.csv"]);
        several(&["d/A.txt"]);
        check(&[("readme.txt", b"rows")], None, "readme.txt rows");
        let texts: [(&str, &[u8]); 2] = [("train.txt", b"rows"), ("readme.txt", b"words")];
        check(&texts, None, "train.txt rows");
    }

    #[test]
    fn a_file_that_grows_out_of_nothing_is_refused() {
        let zeros = vec![0; 80 << 20];
        check(&[("a.csv", &zeros)], None, "unpacks to more than 64 MiB");
        check_within(1 << 20, &[("a.csv", &zeros)], None, "larger than 1 MiB");
    }
}
