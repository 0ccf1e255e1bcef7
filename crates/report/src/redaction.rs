//! Passwords in addresses, which must not reach a page that people pass on.

/// Returns a text with the password of every `scheme://user:password@host` replaced.
pub fn without_passwords(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown += before;
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'');
        let (authority, behind) = after.split_at(after.find(ends).unwrap_or(after.len()));
        shown += &masked(authority);
        rest = behind;
    }
    shown + rest
}

fn masked(authority: &str) -> String {
    match authority.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_passwords;

    #[test]
    fn only_passwords_are_masked() {
        let check = |text: &str, shown: &str| assert_eq!(without_passwords(text), shown);
        check(
            "source: mongodb+srv://me:s3@cret@host/db",
            "source: mongodb+srv://me:***@host/db",
        );
        check(
            "'sqlite://u:p@h'\nb: s3://bucket/a:b@c",
            "'sqlite://u:***@h'\nb: s3://bucket/a:b@c",
        );
        check(
            "https://me@host:80/x synth://phishing?rows=3",
            "https://me@host:80/x synth://phishing?rows=3",
        );
        check("a :// b", "a :// b");
    }
}
