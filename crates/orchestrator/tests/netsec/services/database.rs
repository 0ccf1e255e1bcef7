//! A database of a test's own, and another client for it: PostgreSQL, MariaDB or a file of SQLite.

use std::{
    fs::{self, Permissions},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::server::free_port;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

pub const EVERY: [Kind; 3] = [Kind::Postgres, Kind::MariaDb, Kind::Sqlite];
pub const SERVERS: [Kind; 2] = [Kind::Postgres, Kind::MariaDb];
/// Where a server's certificate and its key are.
const CERTIFICATE: [&str; 2] = ["certificate.pem", "key.pem"];
/// Bytes that MariaDB takes at once.
pub const MARIADB_TAKES: usize = 8 << 20;
pub const PASSWORD: &str = "hunter2-of-tests";

/// A database, with its data in a directory that outlives its process; stopped when it is dropped.
pub struct Database {
    pub kind: Kind,
    directory: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
    speaks_tls: bool,
}

impl Database {
    /// Starts it on a free port and waits until it answers.
    pub fn start(kind: Kind) -> Self {
        Self::launch(kind, None)
    }

    /// Starts it with a certificate and its key, in PEM.
    pub fn start_with(kind: Kind, certificate: &[String; 2]) -> Self {
        Self::launch(kind, Some(certificate))
    }

    fn launch(kind: Kind, certificate: Option<&[String; 2]>) -> Self {
        let mut database = Self {
            kind,
            directory: tempfile::tempdir().unwrap(),
            port: free_port(),
            child: None,
            speaks_tls: certificate.is_some(),
        };
        for (name, pem) in CERTIFICATE.iter().zip(certificate.into_iter().flatten()) {
            let path = database.directory.path().join(name);
            fs::write(&path, pem).unwrap();
            // PostgreSQL refuses a key that others may read.
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        if kind != Kind::Sqlite {
            let model = model(kind).join("data");
            run(Command::new("cp")
                .arg("-a")
                .arg(model)
                .arg(database.directory.path()));
            give_to_postgres(kind, database.directory.path());
        }
        database.restart();
        database
    }

    /// Starts it again on the same port with the same data.
    pub fn restart(&mut self) {
        let since = Instant::now();
        while self.kind != Kind::Sqlite && !self.answers() {
            assert!(since.elapsed() < Duration::from_secs(60), "{}", self.log());
            let ended = self.child.as_mut().map(|c| c.try_wait().unwrap().is_some());
            if ended != Some(false) {
                // What an earlier process has left may still be in its way.
                self.child = Some(self.command().spawn().unwrap());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills it, as a machine that fails does.
    pub fn kill(&mut self) {
        match self.kind {
            Kind::Sqlite => fs::rename(self.file(), self.file().with_extension("gone")).unwrap(),
            // The processes of the connections would outlive one that is killed by 9.
            Kind::Postgres => self.signal("QUIT"),
            Kind::MariaDb => self.signal("KILL"),
        }
    }

    /// Returns the address of a table in this database, or behind a proxy before it.
    pub fn uri(&self, port: u16, chosen: &str) -> String {
        let login = format!("netsec:{PASSWORD}@127.0.0.1:{port}");
        match self.kind {
            Kind::Postgres => format!("postgres://{login}/postgres?{chosen}"),
            Kind::MariaDb => format!("mysql://{login}/netsec?{chosen}"),
            Kind::Sqlite => format!("sqlite://{}?{chosen}", self.file().display()),
        }
    }

    pub fn address(&self, table: &str) -> String {
        self.uri(self.port, &format!("table={table}"))
    }

    /// Asks the other client; gives its lines, cells between tabs.
    pub fn ask(&self, sql: &str) -> String {
        let (answer, said) = self.try_to_ask(sql);
        answer.unwrap_or_else(|| panic!("{sql}: {said}"))
    }

    /// Counts the records of a table.
    pub fn count(&self, table: &str) -> u64 {
        let table = self.quote(table);
        self.ask(&format!("SELECT count(*) FROM {table}"))
            .trim()
            .parse()
            .unwrap()
    }

    /// Returns whether nothing is done for anybody else.
    pub fn is_idle(&self) -> bool {
        let busy = match self.kind {
            Kind::Postgres => {
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' \
                 AND state <> 'idle' AND pid <> pg_backend_pid()"
            }
            Kind::MariaDb => {
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE command NOT IN ('Sleep', 'Daemon') AND id <> connection_id()"
            }
            // Nobody writes to the file, nor reads it.
            Kind::Sqlite => return self.try_to_ask("BEGIN EXCLUSIVE").0.is_some(),
        };
        self.ask(busy).trim() == "0"
    }

    /// Quotes a name as the database's manual says.
    pub fn quote(&self, name: &str) -> String {
        let mark = if self.kind == Kind::MariaDb {
            "`"
        } else {
            "\""
        };
        format!("{mark}{}{mark}", name.replace(mark, &mark.repeat(2)))
    }

    /// Lets others read a file of root's; returns whether that is whose it is.
    pub fn is_of_root(&self) -> bool {
        let directory = self.directory.path();
        fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
        is_root()
    }

    pub fn file(&self) -> PathBuf {
        self.directory.path().join("records.db")
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && self.try_to_ask("SELECT 1").0.is_some()
    }

    /// Starts the other client, and does not wait for it.
    pub fn ask_meanwhile(&self, sql: &str) -> Child {
        let mut client = self.client(sql);
        client.stdout(Stdio::null()).stderr(Stdio::null());
        client.spawn().unwrap()
    }

    fn try_to_ask(&self, sql: &str) -> (Option<String>, String) {
        let output = self.client(sql).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let answer = output.status.success().then(|| text(output.stdout));
        (answer, text(output.stderr))
    }

    fn client(&self, sql: &str) -> Command {
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut psql = Command::new("psql");
                psql.args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "netsec",
                    "-d",
                    "postgres",
                ]);
                psql.args([
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-F",
                    "\t",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-c",
                    sql,
                ]);
                psql
            }
            Kind::MariaDb => {
                let mut client = Command::new("mariadb");
                client.args([
                    "--no-defaults",
                    "-h",
                    "127.0.0.1",
                    "-P",
                    &port,
                    "-u",
                    "netsec",
                ]);
                client.args([
                    "--default-character-set=utf8mb4",
                    "-N",
                    "-B",
                    "netsec",
                    "-e",
                    sql,
                ]);
                client
            }
            Kind::Sqlite => {
                let mut client = Command::new("sqlite3");
                client
                    .args(["-batch", "-bail", "-separator", "\t"])
                    .arg(self.file())
                    .arg(sql);
                client
            }
        };
        command
            .env("PGPASSWORD", PASSWORD)
            .env("MYSQL_PWD", PASSWORD);
        command
    }

    fn command(&self) -> Command {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let (data, port) = (path("data"), self.port.to_string());
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut server = as_postgres(&postgres_program("postgres"));
                server.args(["-D", &data, "-p", &port, "-k", &data]);
                server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
                server
            }
            _ => {
                let mut server = Command::new("mariadbd");
                // When it starts, it deletes the temporary tables of any server in the directory that it has for them.
                fs::create_dir_all(path("tmp")).unwrap();
                server.env("TMPDIR", path("tmp"));
                server.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1"]);
                // As many servers are set up: what is too long is cut.
                server.arg("--sql-mode=");
                server.arg(format!("--max-allowed-packet={MARIADB_TAKES}"));
                server.args([
                    format!("--datadir={data}"),
                    format!("--port={port}"),
                    format!("--socket={}", path("socket")),
                    format!("--pid-file={}", path("pid")),
                    format!("--init-file={}", path("data/start.sql")),
                ]);
                server
            }
        };
        if self.speaks_tls {
            let [certificate, key] = CERTIFICATE.map(path);
            match self.kind {
                Kind::Postgres => command
                    .args(["-c", "ssl=on"])
                    .args(["-c".to_owned(), format!("ssl_cert_file={certificate}")])
                    .args(["-c".to_owned(), format!("ssl_key_file={key}")]),
                _ => command.args([
                    format!("--ssl-cert={certificate}"),
                    format!("--ssl-key={key}"),
                ]),
            };
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(path("log"))
            .unwrap();
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    fn signal(&mut self, name: &str) {
        if let Some(mut child) = self.child.take() {
            run(Command::new("kill").args([format!("-{name}"), child.id().to_string()]));
            child.wait().unwrap();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.kind != Kind::Sqlite {
            self.signal(if self.kind == Kind::Postgres {
                "QUIT"
            } else {
                "KILL"
            });
        }
    }
}

/// Returns a directory with the data of an empty database, made once.
fn model(kind: Kind) -> &'static Path {
    static MODELS: [OnceLock<tempfile::TempDir>; 2] = [OnceLock::new(), OnceLock::new()];
    let model = MODELS[usize::from(kind == Kind::MariaDb)].get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        if kind == Kind::MariaDb {
            let data = format!("--datadir={}", path("data").display());
            fs::create_dir(path("tmp")).unwrap();
            let mut install = Command::new("mariadb-install-db");
            run(install.env("TMPDIR", path("tmp")).args([
                "--no-defaults",
                "--user=root",
                "--skip-test-db",
                &data,
            ]));
            let start = format!(
                "CREATE DATABASE IF NOT EXISTS netsec;\n\
                 CREATE USER IF NOT EXISTS 'netsec'@'%' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT ALL ON netsec.* TO 'netsec'@'%';\n\
                 CREATE USER IF NOT EXISTS 'reader'@'%' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT SELECT ON netsec.* TO 'reader'@'%';\n\
                 CREATE USER IF NOT EXISTS 'keeper'@'%' IDENTIFIED BY '{PASSWORD}';\n\
                 GRANT SELECT, INSERT, DELETE, CREATE, INDEX, ALTER ON netsec.* TO 'keeper'@'%';\n"
            );
            fs::write(path("data/start.sql"), start).unwrap();
            return directory;
        }
        fs::write(path("password"), PASSWORD).unwrap();
        give_to_postgres(kind, directory.path());
        let mut initdb = as_postgres(&postgres_program("initdb"));
        initdb
            .arg("-D")
            .arg(path("data"))
            .arg("--pwfile")
            .arg(path("password"));
        initdb.args([
            "-U",
            "netsec",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-sync",
        ]);
        run(&mut initdb);
        directory
    });
    model.path()
}

/// Finds a program that Debian keeps off the path.
fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL: use .ci/services");
    let newest = versions.map(|v| v.unwrap().path()).max().unwrap();
    newest.join("bin").join(name)
}

/// PostgreSQL refuses to be run by root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

fn give_to_postgres(kind: Kind, directory: &Path) {
    if kind == Kind::Postgres && is_root() {
        run(Command::new("chown")
            .args(["-R", "postgres"])
            .arg(directory));
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
