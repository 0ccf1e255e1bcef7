//! What DVC leaves out: the patterns of `.dvcignore` files, which are those of Git.

use std::{fs, io, path::Path};

use artifact::StoreError;

use crate::DvcError;

/// Name of the files with patterns.
pub(crate) const FILE_NAME: &str = ".dvcignore";
/// What is left out in any case.
const ALWAYS: [&str; 4] = [".hg/", ".git/", ".git", ".dvc/"];

/// The patterns that hold for a place, the last that matches decides.
#[derive(Debug, Default)]
pub(crate) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    /// Names from the repository's root to the directory that the pattern speaks of.
    base: Vec<String>,
    negated: bool,
    /// Whether it speaks of directories alone.
    directories: bool,
    /// Globs of names; `**` stands for any number of names.
    names: Vec<String>,
}

impl Ignore {
    /// Reads the patterns that hold for what lies at a place, given as names from the root: those of the
    /// directories above it.
    pub(crate) fn for_place(root: &Path, place: &[String]) -> Result<Self, DvcError> {
        let mut ignore = Self::default();
        ALWAYS.iter().for_each(|line| ignore.add(&[], line));
        for depth in 0..place.len() {
            let base = &place[..depth];
            if ignore.ignores(base, true) {
                break;
            }
            let mut path = root.to_owned();
            path.extend(base);
            let path = path.join(FILE_NAME);
            match fs::read_to_string(&path) {
                Ok(text) => text.lines().for_each(|line| ignore.add(base, line)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(StoreError::io("read", &path)(e).into()),
            }
        }
        Ok(ignore)
    }

    fn add(&mut self, base: &[String], line: &str) {
        self.patterns.extend(Pattern::parse(base, line));
    }

    /// Returns whether a path, given as names from the root, is left out, by itself or with a directory above it.
    pub(crate) fn ignores(&self, path: &[String], is_directory: bool) -> bool {
        (1..=path.len()).any(|length| {
            let is_directory = is_directory || length < path.len();
            let part = &path[..length];
            let decides = |pattern: &&Pattern| pattern.matches(part, is_directory);
            let last = self.patterns.iter().rev().find(decides);
            last.is_some_and(|pattern| !pattern.negated)
        })
    }
}

impl Pattern {
    fn parse(base: &[String], line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (negated, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (directories, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let mut names: Vec<String> = Vec::new();
        if !line.contains('/') {
            names.push("**".to_owned());
        }
        let rest = line.strip_prefix('/').unwrap_or(line);
        names.extend(rest.split('/').map(str::to_owned));
        Some(Self {
            base: base.to_owned(),
            negated,
            directories,
            names,
        })
    }

    fn matches(&self, path: &[String], is_directory: bool) -> bool {
        if self.directories && !is_directory {
            return false;
        }
        match path.strip_prefix(&self.base[..]) {
            Some(below) if !below.is_empty() => names_match(&self.names, below),
            _ => false,
        }
    }
}

fn names_match(globs: &[String], names: &[String]) -> bool {
    match (globs.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => match rest.is_empty() {
            // At the end it stands for what lies within.
            true => !names.is_empty(),
            false => (0..=names.len()).any(|skipped| names_match(rest, &names[skipped..])),
        },
        (Some((glob, globs)), Some((name, names))) => {
            let (glob, name): (Vec<char>, Vec<char>) =
                (glob.chars().collect(), name.chars().collect());
            glob_matches(&glob, &name) && names_match(globs, names)
        }
        _ => false,
    }
}

/// Returns whether a name is one of a glob: `*`, `?`, `[a-z]`, `[!a]` and `\` before what is meant literally.
fn glob_matches(glob: &[char], name: &[char]) -> bool {
    let Some((&first, rest)) = glob.split_first() else {
        return name.is_empty();
    };
    match (first, name.split_first()) {
        ('*', _) => (0..=name.len()).any(|skipped| glob_matches(rest, &name[skipped..])),
        (_, None) => false,
        ('?', Some((_, name))) => glob_matches(rest, name),
        ('[', Some((&character, below))) => match class(rest) {
            Some((allowed, length)) => {
                allowed.holds(character) && glob_matches(&rest[length..], below)
            }
            None => character == '[' && glob_matches(rest, below),
        },
        ('\\', Some((&character, name))) => match rest.split_first() {
            Some((&meant, rest)) => meant == character && glob_matches(rest, name),
            None => false,
        },
        (_, Some((&character, name))) => first == character && glob_matches(rest, name),
    }
}

/// A set of characters in brackets.
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn holds(&self, character: char) -> bool {
        let within = |(low, high): &(char, char)| (*low..=*high).contains(&character);
        self.ranges.iter().any(within) != self.negated
    }
}

/// Reads a set of characters after its opening bracket, with its length; `None` when it is not closed.
fn class(glob: &[char]) -> Option<(Class, usize)> {
    let negated = matches!(glob.first(), Some('!' | '^'));
    let start = usize::from(negated);
    let (mut at, mut ranges) = (start, Vec::new());
    loop {
        let mut low = *glob.get(at)?;
        // A bracket that stands first is meant literally.
        if low == ']' && at > start {
            return Some((Class { negated, ranges }, at + 1));
        }
        if low == '\\' {
            at += 1;
            low = *glob.get(at)?;
        }
        match (glob.get(at + 1), glob.get(at + 2)) {
            (Some('-'), Some(&high)) if high != ']' => {
                ranges.push((low, high));
                at += 3;
            }
            _ => {
                ranges.push((low, low));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
