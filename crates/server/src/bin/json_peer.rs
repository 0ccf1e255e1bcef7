//! What `/v1/predict` is measured beside: the same JSON into `serde_json::Value` and out again.

use actix_web::{
    App, HttpResponse, HttpServer, rt,
    web::{self, Bytes},
};
use serde_json::Value;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:5002".to_owned());
    let app = || App::new().route("/v1/predict", web::post().to(echo));
    rt::System::new().block_on(async {
        let server = HttpServer::new(app).workers(1).bind(address)?;
        server.run().await
    })
}

async fn echo(body: Bytes) -> HttpResponse {
    let parsed: Result<Value, _> = serde_json::from_slice(&body);
    match parsed.map(|value| value.to_string()) {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/json")
            .body(text),
        Err(_) => HttpResponse::BadRequest().finish(),
    }
}
