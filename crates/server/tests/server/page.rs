use crate::{
    client::Connection,
    process::{Server, command},
    trained::Place,
    trainings::stand_in,
};

#[test]
fn the_page_shows_the_model_and_a_form_of_its_columns() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let answer = server.get("/");
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let text = answer.text();
    for part in [
        "<h2>flows version 1</h2>",
        " real records, ",
        "95 % interval",
        "<input type=\"number\" step=\"1\" min=\"0\" max=\"1000\" name=\"duration\" data-kind=\"number\" data-typical=",
        "<option>icmp</option><option>tcp</option><option>udp</option>",
        "bytes <span class=\"soft\">(may be empty)</span>",
        "promoted",
        " UTC</time>",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let (_, usual) = text
        .split_once("name=\"duration\" data-kind=\"number\" data-typical=\"")
        .unwrap();
    let (usual, _) = usual.split_once('"').unwrap();
    assert!(usual.parse::<u32>().is_ok(), "{usual} is no whole number");
    assert!(
        !text.contains("name=\"id\""),
        "a column that is never used is asked for"
    );
    assert!(!text.contains("Simulated data."));
}

#[test]
fn a_simulated_model_says_so() {
    let server = Server::start(&Place::with_phishing(), &[]);
    assert!(
        server
            .get("/")
            .text()
            .contains("<strong>Simulated data.</strong>")
    );
}

#[test]
fn everything_on_the_page_comes_from_the_service() {
    let server = Server::start(&Place::with_flows(), &[]);
    let page = server.get("/").text();
    for link in page.split(['"']).filter(|part| part.starts_with('/')) {
        let status = server.get(link).status;
        assert!([200, 405].contains(&status), "{link}: {status}");
    }
    let all = [
        page,
        server.get("/assets/page.js").text(),
        server.get("/assets/page.css").text(),
    ];
    assert!(
        all.iter()
            .all(|text| !text.contains("//cdn") && !text.contains("https://"))
    );
}

#[test]
fn actions_are_on_the_page_of_administrators_alone() {
    let place = Place::with_flows();
    place.promote("flows", |bundle| bundle.training.seed = 9);
    let made = |name: &str, scope: &str| {
        let made = command(&place)
            .args(["--new-key", name, "--scope", scope])
            .output();
        let text = String::from_utf8(made.unwrap().stdout).unwrap();
        let (key, line) = text.trim_end().split_once('\n').unwrap();
        (key.to_owned(), line.to_owned())
    };
    let ((ann, first), (ops, second)) = (made("ann", "predict"), made("ops", "admin"));
    let program = stand_in(&place, "exit 0");
    let arguments = [
        "--admin-listen",
        "127.0.0.1:0",
        "--train-source",
        "daily=/x.csv",
        "--netsec",
        &program,
    ];
    let keys = format!("{first};{second}");
    let server = Server::start_with(&place, &arguments, &[("NETSEC_API_KEYS", &keys)]);
    let page = |address, key: &str| {
        let line = format!("X-API-Key: {key}");
        Connection::open(address)
            .call("GET", "/", &[&line], b"")
            .text()
    };
    let admin = server.admin.unwrap();
    let text = page(admin, &ops);
    for part in [
        "data-action=\"/models/flows/promote\"",
        "data-kind=\"whole\"><option>1</option></select>",
        "data-action=\"/models/flows/rollback\"",
        "data-action=\"/reload\"",
        "<option>daily</option>",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    for text in [page(admin, &ann), page(server.address, &ops)] {
        assert!(text.contains("flows version 2") && !text.contains("administration"));
    }
}

#[test]
fn a_page_without_a_model_says_what_to_do() {
    let server = Server::start(&Place::empty(), &[]);
    assert!(server.get("/").text().contains("netsec run"));
}
