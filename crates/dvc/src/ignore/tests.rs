use super::*;

/// Checks which of some paths are left out under some lines; a path that ends in `/` is a directory.
fn check(lines: &[&str], left_out: &[&str], kept: &[&str]) {
    let mut ignore = Ignore::default();
    lines.iter().for_each(|line| ignore.add(&[], line));
    let is_ignored = |path: &str| {
        let names: Vec<String> = path
            .trim_end_matches('/')
            .split('/')
            .map(str::to_owned)
            .collect();
        ignore.ignores(&names, path.ends_with('/'))
    };
    for path in left_out {
        assert!(is_ignored(path), "{lines:?} keep {path}");
    }
    for path in kept {
        assert!(!is_ignored(path), "{lines:?} leave out {path}");
    }
}

#[test]
fn a_name_is_left_out_at_any_depth_and_a_path_where_it_stands() {
    check(
        &["*.tmp"],
        &["a.tmp", "d/b.tmp", "x.tmp/inside"],
        &["a.tmpx", "tmp"],
    );
    check(&["/top"], &["top", "top/a"], &["d/top"]);
    check(&["a/b"], &["a/b", "a/b/c"], &["x/a/b", "b"]);
    check(&["**/a/b"], &["a/b", "x/a/b", "x/y/a/b"], &["a", "b"]);
    check(&["a/**"], &["a/b", "a/b/c"], &["a/", "b"]);
    check(&["a/**/z"], &["a/z", "a/b/z", "a/b/c/z"], &["z"]);
}

#[test]
fn directories_are_told_from_files() {
    check(
        &["logs/"],
        &["logs/", "logs/a", "d/logs/a"],
        &["logs", "d/logs"],
    );
}

#[test]
fn the_last_pattern_decides_but_not_below_a_directory_that_is_left_out() {
    check(
        &["*.csv", "!keep.csv"],
        &["a.csv"],
        &["keep.csv", "d/keep.csv"],
    );
    check(&["d/", "!d/keep.csv"], &["d/keep.csv"], &[]);
    check(&["!a", "a"], &["a"], &[]);
}

#[test]
fn sets_escapes_and_remarks_are_read_as_git_reads_them() {
    check(&["[a-c]?", "[!x]y"], &["b1", "zy"], &["d1", "b", "xy"]);
    check(&["[]a]"], &["]", "a"], &["b"]);
    check(&["\\#a", "\\!b", "c\\*"], &["#a", "!b", "c*"], &["cd"]);
    check(&["# a", "", "  d  "], &["d"], &["# a", "a"]);
}
