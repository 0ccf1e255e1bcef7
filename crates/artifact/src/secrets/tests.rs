use super::*;

#[test]
fn every_address_in_a_text_is_masked() {
    let text = "source: postgres://me:secret@host/db\nholdout: 'https://h/x?token=t'\n\na: b@c";
    let shown = "source: postgres://me:***@host/db\nholdout: 'https://h/x?token=***'\n\na: b@c";
    assert_eq!(without_secrets(text), shown);
    let text = "postgres://h/db?table=t&pasword=x mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:x";
    assert_eq!(
        without_secrets(text),
        text.replace("=x", "=***")
            .replace("AWS_SESSION_TOKEN:x", "***")
    );
    // What is masked already ends there, and a sentence goes on.
    let masked = "https://h/x?token=***: 401";
    assert_eq!(without_secrets(masked), masked);
    // What stands before an address in a word is no part of it.
    assert_eq!(
        without_secrets("--set a=[https://me:secret@h/x?token=t"),
        "--set a=[https://me:***@h/x?token=***"
    );
}
