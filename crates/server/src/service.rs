//! The life of the service: checked, bound, run, drained.

use std::{io::Write as _, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web::Data};
use artifact::{ErrorKind, Failure};
use registry::Registry;
use tokio::sync::Semaphore;

use crate::{
    arguments::Arguments,
    guard, keys,
    meters::Meters,
    routes::{self, Service},
    serving::Serving,
    sessions::Sessions,
    settings::Settings,
    watch::Watch,
};

/// Files that are scored at a time; each takes a thread and the memory of a batch.
const MOST_UPLOADS: usize = 32;

/// Does what the command line asks for; returns the exit code.
///
/// # Errors
/// What keeps the service from starting: its configuration, or its address.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    if let Some(name) = &arguments.new_key {
        let (key, line) = keys::make(name, arguments.scope).map_err(usage)?;
        print(&format!("{key}\n{line}"))?;
        return Ok(0);
    }
    let settings = Settings::of(arguments)?;
    let registry = Registry::local(&settings.artifacts);
    let serving = Arc::new(Serving::new(registry, settings.model.clone()));
    let first = serving.reload();
    if arguments.check {
        first?;
        print("the configuration is sound, and the champion loads and answers")?;
        return Ok(0);
    }
    serve(arguments, settings, serving)
}

fn serve(arguments: &Arguments, settings: Settings, serving: Arc<Serving>) -> Result<u8, Failure> {
    let address = arguments.listen;
    let unavailable = |what: &str, error: &std::io::Error| {
        let reason = format!(
            "cannot {what} {address}: {error}{}",
            artifact::remedy(error)
        );
        Failure::new(ErrorKind::Unavailable, reason)
    };
    let listener = TcpListener::bind(address).map_err(|e| unavailable("listen on", &e))?;
    let bound = listener.local_addr().unwrap_or(address);
    let watch = Watch::start(Arc::clone(&serving), settings.poll)
        .map_err(|e| unavailable("watch the registry for", &e))?;
    let greeting = greeting(bound, &serving);
    let service = Data::new(Service {
        serving,
        settings,
        meters: Meters::new(),
        sessions: Sessions::default(),
        uploads: Arc::new(Semaphore::new(MOST_UPLOADS)),
    });
    let runtime = actix_web::rt::System::new();
    let result = runtime.block_on(async {
        let server = start(service, listener).map_err(|e| unavailable("serve on", &e))?;
        print(&greeting)?;
        server
            .await
            .map_err(|e| unavailable("go on serving on", &e))
    });
    drop(watch);
    result.map(|()| 0)
}

/// Starts the workers; the future ends once the service was told to stop and has drained.
fn start(service: Data<Service>, listener: TcpListener) -> std::io::Result<Server> {
    let settings = &service.settings;
    let time: Duration = settings.limits.client_timeout;
    let (workers, drain) = (settings.workers, settings.drain);
    let connections = settings.max_connections.div_ceil(workers);
    let app = move || {
        App::new()
            .app_data(Data::clone(&service))
            .wrap(from_fn(guard::check))
            .configure(routes::configure)
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .max_connections(connections)
        .client_request_timeout(time)
        .client_disconnect_timeout(Duration::from_secs(2))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(drain)
        .listen(listener)?;
    Ok(server.run())
}

fn greeting(address: std::net::SocketAddr, serving: &Serving) -> String {
    let model = match &*serving.current() {
        None => "no model yet: `netsec run` trains one, and it is taken up by itself".to_owned(),
        Some(detector) => {
            let simulated = if detector.bundle.simulated {
                ", trained on SIMULATED data, not on real traffic"
            } else {
                ""
            };
            let version = detector.entry.version;
            format!("{} version {version}{simulated}", detector.name)
        }
    };
    format!("http://{address}/  {model}")
}

fn usage(reason: String) -> Failure {
    Failure::new(ErrorKind::Usage, reason)
}

/// Prints to standard output; a reader that went away is no reason to stop serving.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            ErrorKind::Unavailable,
            format!("cannot write the output: {e}"),
        )),
        _ => Ok(()),
    }
}
