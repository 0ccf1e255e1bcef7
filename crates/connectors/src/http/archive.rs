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
    match known[..] {
        [only] => Ok(only.clone()),
        [] => Err(format!(
            "the archive has no file of a known format: it has {}",
            among(&all)
        )),
        _ => Err(format!(
            "the archive has several files of rows, {}: name one, #member=NAME",
            among(&known)
        )),
    }
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
        let is_csv = |name: &str| name.ends_with(".csv");
        let found = match unpack(archive(files), member, is_csv, limits) {
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
    fn a_file_that_grows_out_of_nothing_is_refused() {
        let zeros = vec![0; 80 << 20];
        check(&[("a.csv", &zeros)], None, "unpacks to more than 64 MiB");
        check_within(1 << 20, &[("a.csv", &zeros)], None, "larger than 1 MiB");
    }
}
