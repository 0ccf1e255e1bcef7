#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;

/// Writes what the files of a repository, its own and that of this copy, come to.
fn check(files: [&str; 2], expected: &str) {
    let mut settings = Settings {
        cache: None,
        links: vec![Link::Reflink, Link::Copy],
        shared: false,
        no_scm: false,
        hardlink_lock: false,
    };
    let applied = files
        .iter()
        .try_for_each(|text| settings.apply(Path::new("/r/.dvc/config"), text));
    let text = match applied {
        Ok(()) => {
            let links: Vec<&str> = settings.links.iter().map(|link| link.name()).collect();
            let cache = settings.cache.map(|path| path.display().to_string());
            let (shared, no_scm) = (settings.shared, settings.no_scm);
            format!(
                "{} {} {shared} {no_scm}",
                cache.as_deref().unwrap_or("-"),
                links.join("+")
            )
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(text, expected);
}

#[test]
fn without_a_word_files_are_reflinked_or_copied() {
    check(["", ""], "- reflink+copy false false");
}

#[test]
fn what_stands_in_the_copy_of_the_repository_goes_before() {
    check(
        [
            "[core]\n    no_scm = True\n['remote \"store\"']\n    url = /tmp/x\n[cache]\n    type = hardlink,symlink\n",
            "[cache]\n    dir = ../../shared # for all\n    shared = group\n",
        ],
        "/r/.dvc/../../shared hardlink+symlink true true",
    );
    check(
        [
            "[cache]\ntype = copy\ndir = /big",
            "[CACHE]\nType = \"reflink, copy\"",
        ],
        "/big reflink+copy false false",
    );
}

#[test]
fn a_link_that_there_is_not_is_refused() {
    check(
        ["[cache]\ntype = junction", ""],
        "/r/.dvc/config: cache.type holds \"junction\", which is none of reflink, hardlink, symlink, copy",
    );
}
