//! TLS before a server that knows none.

use std::{
    io::{self, Read, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// Starts it before a port of this machine, with a certificate and its key; returns its port.
pub fn before(target: u16, [certificate, key]: &[String; 2]) -> u16 {
    let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let secure = ServerConnection::new(Arc::clone(&config)).unwrap();
            let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
            serve(client.unwrap(), server, secure);
        }
    });
    port
}

fn serve(mut client: TcpStream, mut server: TcpStream, secure: ServerConnection) {
    let secure = Arc::new(Mutex::new(secure));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let answering = Arc::clone(&secure);
    std::thread::spawn(move || {
        let mut buffer = [0; 1 << 14];
        while let Ok(n @ 1..) = from.read(&mut buffer)
            && receive(&secure, &buffer[..n], &mut from, &mut to).is_ok()
        {}
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 1 << 14];
        while let Ok(n @ 1..) = server.read(&mut buffer) {
            let mut secure = answering.lock().unwrap();
            secure.writer().write_all(&buffer[..n]).unwrap();
            if flush(&mut secure, &mut client).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    });
}

/// Takes bytes of a client, and passes on what they say.
fn receive(
    secure: &Mutex<ServerConnection>,
    mut bytes: &[u8],
    client: &mut TcpStream,
    server: &mut TcpStream,
) -> io::Result<()> {
    let mut said = Vec::new();
    let mut secure = secure.lock().unwrap();
    while !bytes.is_empty() {
        secure.read_tls(&mut bytes)?;
        let state = secure.process_new_packets();
        flush(&mut secure, client)?;
        let n = state.map_err(io::Error::other)?.plaintext_bytes_to_read();
        let at = said.len();
        said.resize(at + n, 0);
        secure.reader().read_exact(&mut said[at..])?;
    }
    drop(secure);
    server.write_all(&said)
}

fn flush(secure: &mut ServerConnection, client: &mut TcpStream) -> io::Result<()> {
    while secure.wants_write() {
        secure.write_tls(client)?;
    }
    Ok(())
}
