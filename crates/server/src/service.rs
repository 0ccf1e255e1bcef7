//! The life of the service: checked, bound, run, drained.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use actix_web::{
    App, Error, HttpServer,
    body::MessageBody,
    dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    rt::{System, SystemRunner, time::timeout},
    web::Data,
};
use artifact::{ErrorKind, Failure};
#[cfg(feature = "s3")]
use connectors::registry_bucket as bucket;
use registry::Registry;
use tokio::sync::oneshot;

use crate::{
    arguments::Arguments,
    body::Room,
    ending::{Ending, Signals},
    feedback::Feedback,
    guard,
    jobs::Jobs,
    keys::{self, KeyRing},
    meters::Meters,
    monitor::Monitor,
    prediction_log::PredictionLog,
    rate_limit::RateLimit,
    routes::{self, Histories, Service},
    serving::Serving,
    sessions::Sessions,
    settings::Settings,
    slots::Slots,
    watch::Watch,
};

/// How long the first look at the registry may hold the start back.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Connections of the listener for administration: who has no key may hold some as well.
const ADMIN_CONNECTIONS: usize = 1000;
/// How long the handshake of TLS may take: the service ends only when those that were begun have.
const HANDSHAKE: Duration = Duration::from_secs(3);

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
    let registry = open_registry(&settings)?;
    let serving = Arc::new(Serving::new(registry, settings.model.clone()));
    match arguments.check {
        true => check(settings, serving),
        false => serve(arguments, settings, serving),
    }
}

/// Checks what the service will need, the champion with it. Ended by a signal while a registry keeps still, also as
/// the first process of a container.
fn check(settings: Settings, serving: Arc<Serving>) -> Result<u8, Failure> {
    let system = System::new();
    let mut signals = listen_to_signals(&system)?;
    let (tell, told) = oneshot::channel();
    let checking = move || {
        let surroundings = settings.check_surroundings();
        let checked = surroundings.and_then(|()| Ok(serving.reload().map(drop)?));
        // Nobody may wait for it any more.
        let _ = tell.send(checked);
    };
    let thread = thread::Builder::new().name("check".to_owned());
    let failed = |e: io::Error| unavailable("the check", &e);
    thread.spawn(checking).map_err(failed)?;
    match system.block_on(signals.wait_for(told)) {
        Err(code) => return Ok(code),
        // It has panicked, and has said so.
        Ok(Err(_)) => return Err(failed(io::Error::other("it has not come to its end"))),
        Ok(Ok(checked)) => checked?,
    }
    print("the configuration is sound, and the champion loads and answers")?;
    Ok(0)
}

fn listen_to_signals(system: &SystemRunner) -> Result<Signals, Failure> {
    let signals = system.block_on(async { Signals::listen() });
    signals.map_err(|e| unavailable("the wait for signals", &e))
}

/// Opens the registry where it is, with the keys that it trusts; nothing is asked of it yet.
///
/// # Errors
/// When it is in a bucket, and the address is wrong or this build reaches none; when the keys cannot be read.
pub(crate) fn open_registry(settings: &Settings) -> Result<Registry, Failure> {
    let registry = match &settings.registry {
        Some(location) => location.open(bucket)?,
        None => Registry::local(&settings.artifacts),
    };
    Ok(registry.keyed(None, settings.trusted_keys.as_deref())?)
}

#[cfg(not(feature = "s3"))]
fn bucket(uri: &dataset::SourceUri) -> Result<Arc<dyn registry::BlobStore>, Failure> {
    let message = format!(
        "{uri}: this build reaches no bucket: build it with the feature `s3`: cargo build --release -p server \
         --features s3"
    );
    Err(Failure::new(ErrorKind::Config, message))
}

/// Lets the service have as many files and connections open as the system allows at most.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
fn raise_open_files() {}

fn serve(arguments: &Arguments, settings: Settings, serving: Arc<Serving>) -> Result<u8, Failure> {
    raise_open_files();
    let public = bind(arguments.listen)?;
    let admin = settings.admin.map(bind).transpose()?;
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let system = System::new();
    let mut signals = listen_to_signals(&system)?;
    let service = assemble(settings, serving)?;
    let watches = watches(&service).map_err(|e| unavailable("the watch over the registry", &e));
    let [mut registry, files] = watches?;
    let result = system.block_on(async {
        let failed = |e: io::Error| unavailable("the service", &e);
        let first_look = timeout(FIRST_LOOK, registry.first_look());
        if signals.wait_for(first_look).await.is_err() {
            return Ok(0);
        }
        let keys = service.settings.keys.current();
        let greeting = greeting(scheme, &public, admin.as_ref(), &keys, &service.serving);
        drop(keys);
        let public = start(&service, public, Manner::public(&service.settings)).map_err(failed)?;
        let admin = admin.map(|admin| start(&service, admin, Manner::admin(&service.settings)));
        let admin = admin.transpose().map_err(failed)?;
        print(&greeting)?;
        let ended = signals.end(&service, public, admin).await;
        ended.map(|()| 0).map_err(failed)
    });
    service.jobs.stop();
    drop((registry, files));
    if let Some(log) = &service.prediction_log {
        log.finish();
    }
    result
}

/// Starts to watch the registry and, apart from it, the configuration's files: while a registry on a network does not
/// answer, keys are taken out all the same.
fn watches(service: &Data<Service>) -> io::Result<[Watch; 2]> {
    let (registry, files) = (Data::clone(service), Data::clone(service));
    let every = service.settings.poll;
    // What went wrong is in the log, and it is tried again.
    let registry = Watch::start(every, move || drop(registry.serving.reload()))?;
    let files = Watch::start(every, move || files.look_at_files())?;
    Ok([registry, files])
}

/// Puts together what requests reach, and starts what looks at their rows.
///
/// # Errors
/// When a thread cannot be started, or the log of predictions not be written.
pub(crate) fn assemble(
    settings: Settings,
    serving: Arc<Serving>,
) -> Result<Data<Service>, Failure> {
    let lock = settings.training_lock();
    let jobs = Jobs::new(settings.program.clone(), settings.place(), lock);
    let log = settings.prediction_log.clone().map(PredictionLog::start);
    let log = log.transpose();
    let slots = Slots::new(settings.max_uploads, settings.max_uploads_each);
    let room = Room::new(settings.max_bodies, settings.max_bodies_each);
    Ok(Data::new(Service {
        rate_limit: settings.max_rate.map(RateLimit::new),
        serving,
        settings,
        meters: Meters::new(),
        sessions: Sessions::default(),
        jobs: Arc::new(jobs),
        monitor: Monitor::start().map_err(|e| unavailable("the monitor", &e))?,
        prediction_log: log.map_err(|e| unavailable("the prediction log", &e))?,
        ending: Ending::default(),
        feedback: Feedback::default(),
        slots,
        room,
        histories: Histories::default(),
    }))
}

/// Makes what answers the requests of a listener.
pub(crate) fn app(
    service: &Data<Service>,
    is_admin: bool,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(Data::clone(service))
        .wrap(from_fn(guard::check))
        .configure(|config| {
            if is_admin {
                config.app_data(guard::IsAdmin);
                routes::admin::configure(config);
            }
        })
        .configure(routes::configure)
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|e| unavailable(&format!("the listener on {address}"), &e))
}

fn unavailable(what: &str, error: &io::Error) -> Failure {
    let reason = format!("cannot start {what}: {error}{}", artifact::remedy(error));
    Failure::new(ErrorKind::Unavailable, reason)
}

/// How a listener serves.
#[derive(Clone, Copy)]
struct Manner {
    is_admin: bool,
    workers: usize,
    /// Connections a worker.
    connections: usize,
    /// Seconds that requests in progress may take at the end.
    drain: u64,
}

impl Manner {
    fn public(settings: &Settings) -> Self {
        Self {
            is_admin: false,
            workers: settings.workers,
            connections: settings.max_connections.div_ceil(settings.workers),
            drain: settings.drain,
        }
    }

    /// Everything public, and what administrators do.
    fn admin(settings: &Settings) -> Self {
        Self {
            is_admin: true,
            workers: 1,
            connections: ADMIN_CONNECTIONS,
            drain: settings.drain,
        }
    }
}

/// Starts the workers, over TLS where there is a certificate; the future ends once the service was told
/// to stop and has drained.
fn start(service: &Data<Service>, listener: TcpListener, manner: Manner) -> io::Result<Server> {
    let settings = &service.settings;
    let time = settings.limits.client_timeout;
    let shared = Data::clone(service);
    let server = HttpServer::new(move || app(&shared, manner.is_admin))
        .workers(manner.workers)
        .max_connections(manner.connections)
        .client_request_timeout(time)
        .client_disconnect_timeout(Duration::from_secs(2))
        // Who sends no more is not told from who has gone, and nothing is worked out for nobody.
        .h1_allow_half_closed(false)
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(manner.drain)
        .tls_handshake_timeout(time.min(HANDSHAKE))
        // Those that are not ended would hold up all others: they count as any connection does.
        .max_connection_rate(Manner::public(settings).connections);
    let server = if manner.is_admin || cfg!(unix) {
        server.disable_signals()
    } else {
        server
    };
    let server = match &settings.tls {
        None => server.listen(listener)?,
        Some(certificate) => {
            let config = certificate.listener().map_err(io::Error::other)?;
            server.listen_rustls_0_23(listener, config)?
        }
    };
    Ok(server.run())
}

fn greeting(
    scheme: &str,
    public: &TcpListener,
    admin: Option<&TcpListener>,
    keys: &KeyRing,
    serving: &Serving,
) -> String {
    let url = |listener: &TcpListener| match listener.local_addr() {
        Ok(address) => format!("{scheme}://{address}/"),
        Err(_) => "an address that the system does not tell".to_owned(),
    };
    let model = match &*serving.current() {
        None => without_model(serving),
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
    let open = if keys.is_empty() {
        ", open to all who reach it: there are no keys"
    } else {
        ""
    };
    let admin = admin.map(|a| format!("\n{}  administration, {}", url(a), administrators(keys)));
    format!(
        "{}  {model}{open}{}",
        url(public),
        admin.unwrap_or_default()
    )
}

/// Says to those who start the service why it serves nothing.
fn without_model(serving: &Serving) -> String {
    match &*serving.diagnosis() {
        Some(found) if !found.is_absence => format!("no model: {}", found.private),
        _ => "no model yet: `netsec run` trains one, and it is taken up by itself".to_owned(),
    }
}

fn administrators(keys: &KeyRing) -> &'static str {
    match (keys.is_empty(), keys.may_administer()) {
        (true, _) => "open to all users and programs of this machine: there are no keys",
        (false, true) => "for keys of scope `admin`",
        (false, false) => "closed: no key has the scope `admin`",
    }
}

fn usage(reason: String) -> Failure {
    Failure::new(ErrorKind::Usage, reason)
}

/// Prints to standard output; a reader that went away is no reason to stop serving.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            ErrorKind::Unavailable,
            format!("cannot write the output: {e}"),
        )),
        _ => Ok(()),
    }
}
