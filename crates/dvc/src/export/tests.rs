#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;

/// A directory with a repository in it that has no Git.
struct Place(tempfile::TempDir);

impl Place {
    fn new(config: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("r")).unwrap();
        place.write(
            "r/.dvc/config",
            &format!("[core]\n    no_scm = True\n{config}"),
        );
        place.write("data/a", "a\n");
        place.write("data/sub/b", "b\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Puts `data` under DVC, from outside of the repository unless it is `r/data`.
    fn export(&self, from: &str, force: bool) -> Result<Written, DvcError> {
        let repository = Repository::find(&self.path("r"))?;
        let mut export = Export::new(&repository);
        export.add(&self.path(from), &self.path("r/data"))?;
        export.write(force)
    }

    /// Returns the names below a directory, files alone, sorted.
    fn names(&self, directory: &str) -> Vec<String> {
        let (mut open, mut found) = (vec![self.path(directory)], Vec::new());
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => found.push(
                        path.strip_prefix(self.path(directory))
                            .unwrap()
                            .display()
                            .to_string(),
                    ),
                }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn objects_lie_where_dvc_looks_for_them_and_a_second_time_adds_nothing() {
    let place = Place::new("");
    let first = place.export("data", false).unwrap();
    assert_eq!((first.files, first.bytes, first.new_objects), (2, 4, 3));
    let objects = [
        "3b/5d5c3712955042212316173ccf37be",
        "60/b725f10c9c85c70d97880dfe8191b3",
        "8b/3662b0d460701f7734cdf533c5aa85.dir",
    ];
    assert_eq!(place.names("r/.dvc/cache/files/md5"), objects);
    let names = place.names("r/data");
    assert_eq!(names, ["a", "sub/b"]);
    assert!(place.read("r/data.dvc").contains("nfiles: 2"));
    let second = place.export("data", false).unwrap();
    assert_eq!((second.files, second.new_objects), (2, 0));
    assert_eq!(place.names("r/.dvc/cache/files/md5"), objects);
}

#[test]
fn what_is_there_with_other_content_is_replaced_by_force_alone() {
    let place = Place::new("");
    place.write("r/data/a", "mine");
    place.write("r/data/more", "mine, too");
    let refused = place.export("data", false).unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(place.read("r/data/a"), "mine");
    assert!(!place.path("r/data.dvc").exists());
    place.export("data", true).unwrap();
    assert_eq!(place.read("r/data/a"), "a\n");
    assert_eq!(place.names("r/data"), ["a", "sub/b"]);
    place.write("data/a", "later");
    place.export("data", false).unwrap_err();
}

#[cfg(unix)]
#[test]
fn files_come_from_the_cache_as_its_type_says() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let check = |config: &str, links: u64, is_link: bool, mode: u32| {
        for from in ["data", "r/data"] {
            let place = Place::new(config);
            place.write("r/data/a", "a\n");
            place.write("r/data/sub/b", "b\n");
            if from == "data" {
                fs::remove_dir_all(place.path("r/data")).unwrap();
            }
            place.export(from, false).unwrap();
            let file = place.path("r/data/a");
            let found = fs::metadata(&file).unwrap();
            assert_eq!(found.nlink(), links, "{config} {from}");
            assert_eq!(file.is_symlink(), is_link, "{config} {from}");
            assert_eq!(
                found.permissions().mode() & 0o222 != 0,
                mode & 0o222 != 0,
                "{config} {from}"
            );
            assert_eq!(place.read("r/data/a"), "a\n");
        }
    };
    check("", 1, false, 0o644);
    check("[cache]\ntype = copy", 1, false, 0o644);
    check("[cache]\ntype = hardlink", 2, false, 0o444);
    check("[cache]\ntype = symlink,copy", 1, true, 0o444);
}

#[test]
fn what_a_killed_writer_has_left_is_no_data_and_the_same_command_takes_it_away() {
    for from in ["data", "r/data"] {
        let place = Place::new("");
        place.write("r/data/a", "a\n");
        place.write("r/data/sub/b", "b\n");
        for half in ["r/data/.a.4711-0.tmp", "r/data/sub/.b.tar.gz.4711-12.tmp"] {
            place.write(half, "hal");
        }
        let written = place.export(from, false).unwrap();
        assert_eq!((written.files, written.bytes), (2, 4), "{from}");
        assert_eq!(place.names("r/data"), ["a", "sub/b"], "{from}");
    }
}

#[test]
fn a_temporary_file_of_another_program_is_data() {
    let place = Place::new("");
    let others = [".a.tmp", ".a.1-x.tmp", ".a.1.tmp", "..1-1.tmp", "a.1-1.tmp"];
    for name in others {
        place.write(&format!("data/{name}"), "x");
    }
    assert_eq!(place.export("data", false).unwrap().files, 7);
    assert!(place.path("data/.a.tmp").exists());
}

#[test]
fn a_left_over_where_data_comes_from_is_neither_taken_nor_removed() {
    let place = Place::new("");
    place.write("data/.a.4711-0.tmp", "hal");
    assert_eq!(place.export("data", false).unwrap().files, 2);
    assert_eq!(place.names("r/data"), ["a", "sub/b"]);
    assert!(place.path("data/.a.4711-0.tmp").exists());
}

#[cfg(unix)]
#[test]
fn a_link_to_a_directory_is_replaced_by_force_and_never_written_through() {
    use std::os::unix::fs::symlink;
    for (link, to) in [("r/data", "mine"), ("r/data/sub", "mine/sub")] {
        let place = Place::new("");
        place.write("mine/a", "mine");
        place.write("mine/sub/b", "mine");
        fs::create_dir_all(place.path(link).parent().unwrap()).unwrap();
        symlink(place.path(to), place.path(link)).unwrap();
        let refused = place.export("data", false).unwrap_err().to_string();
        let named = format!("{} is there already", place.path(link).display());
        assert!(refused.contains(&named), "{refused}");
        place.export("data", true).unwrap();
        assert!(!place.path(link).is_symlink(), "{link}");
        assert_eq!(place.names("r/data"), ["a", "sub/b"]);
        assert_eq!(place.read("r/data/sub/b"), "b\n");
        assert_eq!(place.read("mine/a") + &place.read("mine/sub/b"), "minemine");
        assert_eq!(place.names("mine"), ["a", "sub/b"]);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_data_stays_unless_its_files_have_to_be_links() {
    use std::os::unix::fs::symlink;
    for (config, stays) in [("", true), ("[cache]\ntype = symlink", false)] {
        let place = Place::new(config);
        symlink(place.path("data"), place.path("r/data")).unwrap();
        place.export("r/data", false).unwrap();
        assert_eq!(place.path("r/data").is_symlink(), stays, "{config}");
        assert_eq!(place.read("r/data/a"), "a\n");
        assert!(!place.path("data/a").is_symlink(), "{config}");
    }
}

#[test]
fn a_file_where_a_directory_has_to_be_is_replaced_by_force() {
    let place = Place::new("");
    place.write("r/data/sub", "mine");
    place.export("data", false).unwrap_err();
    assert_eq!(place.read("r/data/sub"), "mine");
    place.export("data", true).unwrap();
    assert_eq!(place.names("r/data"), ["a", "sub/b"]);
}

#[test]
fn a_damaged_object_of_another_length_is_written_again() {
    let place = Place::new("");
    place.export("data", false).unwrap();
    let object = place.path("r/.dvc/cache/files/md5/60/b725f10c9c85c70d97880dfe8191b3");
    fs::remove_file(&object).unwrap();
    fs::write(&object, "").unwrap();
    place.export("data", false).unwrap();
    assert_eq!(fs::read_to_string(object).unwrap(), "a\n");
}

/// Checks what an export of `data` is refused with.
fn refused(prepare: impl FnOnce(&Place), said: &str) {
    let place = Place::new("");
    prepare(&place);
    let error = place.export("data", true).unwrap_err().to_string();
    assert!(error.contains(said), "{error}");
    assert!(!place.path("r/data.dvc").exists());
}

#[test]
fn what_dvc_cannot_take_is_refused() {
    refused(
        |place| place.write("data/.dvcignore", ""),
        "move it to a directory above",
    );
    refused(
        |place| place.write("r/.dvcignore", "data"),
        "is ignored by a .dvcignore",
    );
    refused(
        |place| fs::remove_dir_all(place.path("r/.dvc")).unwrap(),
        "dvc init",
    );
    refused(
        |place| place.write("data/.dvc/config", ""),
        "holds the repository itself",
    );
    #[cfg(unix)]
    {
        use std::os::unix::{ffi::OsStrExt as _, fs::symlink};
        refused(
            |place| symlink("nothing", place.path("data/broken")).unwrap(),
            "cannot read",
        );
        let name = std::ffi::OsStr::from_bytes(b"data/f\xff");
        refused(
            |place| fs::write(place.0.path().join(name), "").unwrap(),
            "UTF-8",
        );
    }
}

#[test]
fn a_repository_at_work_is_left_alone() {
    let place = Place::new("");
    let held = Repository::find(&place.path("r")).unwrap();
    let refused = place.export("data", false).unwrap_err();
    assert!(matches!(refused, DvcError::Busy(_)), "{refused}");
    drop(held);
    place.export("data", false).unwrap();
}

#[test]
fn a_lock_that_is_a_file_is_gone_when_the_work_is_done() {
    let place = Place::new("hardlink_lock = true\n");
    let lock = place.path("r/.dvc/tmp/lock");
    let held = Repository::find(&place.path("r")).unwrap();
    let until = fs::metadata(&lock).unwrap().modified().unwrap();
    assert!(until > std::time::SystemTime::from(artifact::clock::now()));
    let refused = place.export("data", false).unwrap_err();
    assert!(matches!(refused, DvcError::Busy(_)), "{refused}");
    assert!(lock.exists());
    drop(held);
    assert!(!lock.exists());
    place.export("data", false).unwrap();
    assert!(!lock.exists());
}

#[test]
fn what_a_dvcignore_names_is_left_out() {
    let place = Place::new("");
    place.write("r/.dvcignore", "/data/sub\n");
    assert_eq!(place.export("data", false).unwrap().files, 1);
}

#[test]
fn what_lies_in_data_under_dvc_or_holds_some_is_refused_and_nothing_is_written() {
    let check = |document: &str, text: &str, path: &str, by: &str| {
        let place = Place::new("");
        place.write("r/d/a", "a\n");
        place.write("r/d/sub/b", "b\n");
        place.write(document, text);
        let repository = Repository::find(&place.path("r")).unwrap();
        let before = place.names("r/d");
        let mut export = Export::new(&repository);
        let path = place.path(path);
        let refused = match export.add(&path, &path) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(refused.contains(by), "{refused}");
        assert_eq!(place.names("r/d"), before);
    };
    check("r/d.dvc", "outs: []", "r/d/a", "r/d.dvc puts under DVC");
    check("r/d.dvc", "outs: []", "r/d/sub", "r/d.dvc puts under DVC");
    check("r/d/a.dvc", "outs: []", "r/d", "r/d/a.dvc puts under DVC");
    check("r/d/sub.dvc", "", "r/d", "r/d/sub.dvc puts under DVC");
    check("r/d.dvc", "outs: []", "r/d", "nothing");
    check("r/d/other.dvc", "data", "r/d", "nothing");
    let pipeline = |outs: &str| format!("stages:\n  mine:\n    cmd: x\n{outs}");
    let made = "r/dvc.yaml puts under DVC";
    for outs in [
        "    outs: [d/sub]\n",
        "    outs: [{d/sub: {cache: false}}]\n",
        "    wdir: d\n    outs: [sub]\n",
    ] {
        check("r/dvc.yaml", &pipeline(outs), "r/d", made);
        check("r/dvc.yaml", &pipeline(outs), "r/d/sub/b", made);
        check("r/dvc.yaml", &pipeline(outs), "r/d/a", "nothing");
    }
}

#[test]
fn git_is_told_of_a_new_repository_and_passes_over_a_name_that_ends_with_a_space() {
    let place = Place(tempfile::tempdir().unwrap());
    place.write("r/d /a", "a\n");
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        let done = git.arg("-C").arg(place.path("r")).args(arguments).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{arguments:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q"]);
    let export = || {
        let repository = Repository::find_or_init(&place.path("r")).unwrap();
        let mut export = Export::new(&repository);
        export
            .add(&place.path("r/d "), &place.path("r/d "))
            .unwrap();
        let written = export.write(false).unwrap();
        let root = place.path("r").canonicalize().unwrap();
        let below = |path: PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
        let names = written.for_git.into_iter().map(below);
        names.collect::<Vec<_>>()
    };
    let new = [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "d .dvc",
    ];
    // As long as they are not in Git: the first call may have been cut short.
    assert_eq!(export(), new);
    assert_eq!(export(), new);
    git(&[&["add", "--"], &new[..]].concat());
    assert_eq!(
        git(&["status", "--porcelain", "--untracked"])
            .lines()
            .count(),
        5
    );
    assert_eq!(export(), [".gitignore", "d .dvc"]);
    assert_eq!(place.read("r/.gitignore"), "/d\\ \n");
}

#[test]
fn work_of_others_in_the_same_document_is_kept() {
    let place = Place::new("");
    place.write("r/dvc.yaml", "stages:\n  mine:\n    cmd: echo\n");
    let repository = Repository::find(&place.path("r")).unwrap();
    let mut export = Export::new(&repository);
    let error = export
        .describe(&place.path("r"), &Project::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("(mine)") && error.contains("--to"),
        "{error}"
    );
}
