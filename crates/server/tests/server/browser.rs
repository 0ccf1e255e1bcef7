use std::fs;

use serde_json::json;

use crate::{
    chromium::Chromium,
    process::{Server, command},
    trained::Place,
    trainings::stand_in,
};

fn open(server: &Server) -> Chromium {
    Chromium::open(&format!("http://{}/", server.address))
}

#[test]
fn a_verdict_with_reasons_is_read_from_the_form() {
    let place = Place::with_phishing();
    let server = Server::start(&place, &[]);
    let mut browser = open(&server);
    browser.evaluate("document.getElementById('typical').click()");
    browser.evaluate("document.querySelector('#record button').click()");
    browser.wait("!!document.querySelector('#verdict .verdict')");
    let said = browser.evaluate("document.querySelector('#verdict .verdict').textContent");
    let said = said.as_str().unwrap();
    assert!(said.contains("% probable to be a threat"), "{said}");
    let rows = browser.evaluate("document.querySelectorAll('#verdict tbody tr').length");
    assert_eq!(rows, json!(8));
    browser.picture("page-light.png", 1200, false);
    browser.picture("page-dark.png", 1200, true);
    browser.picture("page-phone.png", 360, false);
    let cut_off = "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth).length";
    assert_eq!(
        browser.evaluate(cut_off),
        json!(0),
        "a table is wider than a phone"
    );
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_field_that_is_refused_is_marked_and_gets_the_focus() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let mut browser = open(&server);
    browser.evaluate("document.getElementById('typical').click()");
    browser.evaluate("document.querySelector('[name=duration]').value = '5000'");
    browser.evaluate("document.querySelector('#record button').click()");
    browser.wait("!!document.querySelector('[name=duration][aria-invalid=true]')");
    let note = "document.getElementById(document.activeElement.getAttribute('aria-describedby'))";
    let said = browser.evaluate(&format!("{note}.textContent"));
    assert_eq!(said, json!("5000 is not between 0 and 1000"));
    browser.evaluate("document.querySelector('[name=duration]').value = '50'");
    browser.evaluate("document.querySelector('#record button').click()");
    browser.wait("!!document.querySelector('#verdict .verdict')");
    let left = browser.evaluate("document.querySelectorAll('.fault, [aria-invalid]').length");
    assert_eq!(left, json!(0));
}

#[test]
fn a_file_is_scored_shown_and_offered_for_download() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let mut browser = open(&server);
    let rows: String = (0..30_000)
        .map(|i| format!("\"a,\n\n\"\"{i}\"\"\",{},{},tcp,true\n", i % 90, i % 900))
        .collect();
    let path = place.path().join("records.csv");
    fs::write(&path, format!("note,duration,bytes,protocol,root\n{rows}")).unwrap();
    browser.choose("#file", &path);
    browser.wait("!document.getElementById('download').hidden");
    let name = browser.evaluate("document.getElementById('download').download");
    assert_eq!(name, json!("records-verdicts.csv"));
    assert_eq!(
        browser.evaluate("document.querySelectorAll('#rows tbody tr').length"),
        json!(100)
    );
    let caption = "document.querySelector('#rows caption').textContent";
    browser.wait(&format!(
        "{caption} === 'The first 100 rows; 29900 more are in the download'"
    ));
    let first =
        "[...document.querySelectorAll('#rows tbody tr:first-child td')].map(c => c.textContent)";
    let first = browser.evaluate(first);
    assert!(
        ["normal", "dos"].contains(&first[0].as_str().unwrap()),
        "{first}"
    );
    let probability = first[1].as_str().unwrap();
    assert!(
        probability.starts_with("0.") && probability.len() == 6,
        "{first}"
    );
    assert_eq!(first[5], json!("a,\n\n\"0\""));
    browser.picture("page-file.png", 1200, false);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn where_keys_exist_the_page_asks_for_one_once() {
    let place = Place::with_flows();
    let made = command(&place).args(["--new-key", "ann"]).output().unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let (key, line) = text.trim_end().split_once('\n').unwrap();
    let server = Server::start_with(&place, &[], &[("NETSEC_API_KEYS", line)]);
    let mut browser = open(&server);
    browser.evaluate(&format!(
        "document.querySelector('[name=key]').value = '{key}'"
    ));
    browser.evaluate("document.querySelector('form button').click()");
    // The form is there before the script that its button needs.
    browser.wait("document.readyState === 'complete' && !!document.getElementById('record')");
    browser.evaluate("document.getElementById('typical').click()");
    browser.evaluate("document.querySelector('#record button').click()");
    browser.wait("!!document.querySelector('#verdict .verdict')");
    browser.picture("page-key.png", 360, false);
    browser.evaluate("document.querySelector('header button').focus()");
    for kind in ["keyDown", "keyUp"] {
        let enter = json!({"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13});
        browser.call("Input.dispatchKeyEvent", enter);
    }
    browser.wait("!!document.querySelector('[name=key]')");
    browser.evaluate("location.reload()");
    browser.wait("!!document.querySelector('[name=key]')");
}

/// Presses the button of a form and waits for what is said.
fn press(browser: &mut Chromium, form: &str, place: &str, expected: &str) {
    browser.evaluate(&format!("document.querySelector('{form} button').click()"));
    // There is none while the page is being loaded anew.
    let said = format!("document.querySelector('{place}')?.textContent ?? ''");
    browser.wait(&format!("({said}).includes('{expected}')"));
}

#[test]
fn administrators_promote_roll_back_reload_and_train() {
    let place = Place::with_flows();
    place.promote("flows", |bundle| bundle.training.seed = 9);
    let ending = "sleep 1; echo '{\"version\":7,\"verdict\":{\"promoted\":false,\"reasons\":[\"too few\"]}}'";
    let program = stand_in(&place, ending);
    std::fs::write(place.path().join("daily.csv"), "").unwrap();
    let arguments = [
        "--admin-listen",
        "127.0.0.1:0",
        "--train-source",
        "daily=daily.csv",
        "--netsec",
        &program,
    ];
    let server = Server::start(&place, &arguments);
    let mut browser = Chromium::open(&format!("http://{}/", server.admin.unwrap()));
    press(
        &mut browser,
        "form[data-action$=rollback]",
        "#done",
        "Version 1 serves.",
    );
    let title = "document.querySelector('h2').textContent";
    assert_eq!(browser.evaluate(title), json!("flows version 1"));
    press(
        &mut browser,
        "form[data-action$=promote]",
        "#done",
        "Version 2 serves.",
    );
    press(
        &mut browser,
        "form[data-action$=reload]",
        "#done",
        "The registry was looked at.",
    );
    press(&mut browser, "#train", "#stage", "Training 1: training");
    let share = browser.evaluate("document.getElementById('training').value");
    assert_eq!(share, json!(0.5));
    browser.picture("page-administration.png", 1200, false);
    browser.wait("document.getElementById('stage').textContent.endsWith('version 7, which was declined: too few.')");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_training_is_cancelled_from_the_page() {
    let place = Place::with_flows();
    let program = stand_in(&place, "exec sleep 60");
    std::fs::write(place.path().join("daily.csv"), "").unwrap();
    let source = ["--train-source", "daily=daily.csv", "--netsec", &program];
    let listening = ["--admin-listen", "127.0.0.1:0"];
    let server = Server::start(&place, &[&listening[..], &source].concat());
    let mut browser = Chromium::open(&format!("http://{}/", server.admin.unwrap()));
    let hidden = "document.getElementById('cancel').hidden";
    assert_eq!(browser.evaluate(hidden), json!(true));
    press(&mut browser, "#train", "#stage", "Training 1: training");
    browser.evaluate("document.getElementById('cancel').click()");
    browser.wait("document.getElementById('stage').textContent === 'Training 1 was cancelled.'");
    assert_eq!(browser.evaluate(hidden), json!(true));
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
