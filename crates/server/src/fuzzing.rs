//! The whole service without a network: what a fuzzer sends goes where a client's request would.

use std::sync::Arc;

use actix_web::{
    body::{self, MessageBody},
    dev::Service,
    http::header,
    rt::System,
    test::TestRequest,
    web::Bytes,
};
use artifact::{ErrorKind, Failure};
use clap::Parser as _;

use crate::{Arguments, service, serving::Serving, settings::Settings};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body, or why it broke off.
    pub body: Result<Bytes, String>,
}

/// Starts the service of both listeners; returns what takes a path, a media type and a body, and waits for the answer.
///
/// # Errors
/// As [`crate::run`], and when there is no champion.
pub fn start(flags: &[&str]) -> Result<impl Fn(&str, &str, &[u8]) -> Answer + use<>, Failure> {
    let line = ["netsec-server"].iter().chain(flags);
    let arguments = Arguments::try_parse_from(line);
    let arguments = &arguments.map_err(|e| Failure::new(ErrorKind::Usage, e.to_string()))?;
    let settings = Settings::of(arguments)?;
    let registry = service::open_registry(&settings)?;
    let serving = Arc::new(Serving::new(registry, settings.model.clone()));
    serving.reload()?;
    let service = service::assemble(settings, serving)?;
    let system = System::new();
    let app = system.block_on(actix_web::test::init_service(service::app(&service, true)));
    Ok(move |path: &str, kind: &str, body: &[u8]| {
        let request = TestRequest::post()
            .uri(path)
            .insert_header((header::HOST, "localhost"))
            .insert_header((header::CONTENT_TYPE, kind))
            .insert_header((header::CONTENT_LENGTH, body.len()))
            .set_payload(body.to_vec())
            .to_request();
        system.block_on(async {
            match app.call(request).await {
                Ok(response) => whole(response.status().as_u16(), response.into_body()).await,
                Err(error) => {
                    let response = error.as_response_error().error_response();
                    whole(response.status().as_u16(), response.into_body()).await
                }
            }
        })
    })
}

async fn whole(status: u16, body: impl MessageBody) -> Answer {
    let read = body::to_bytes(body).await;
    let body = read.map_err(|error| error.into().to_string());
    Answer { status, body }
}
