//! A page that a browser opens over HTTP, because it has to work before it can say anything, and
//! that posts what it found.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::browser::headless;

/// Longest time that one request may take to arrive.
const REQUEST: Duration = Duration::from_secs(20);

/// The process of a browser, which ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file that is served: its path (`/`), its type (`text/html`), its text.
pub(crate) type Served = (&'static str, &'static str, String);

/// Opens `/` of what is served in the browser, and gives what the page posts to `/found`.
///
/// # Panics
/// If nothing is posted within `patience`.
pub(crate) fn found(
    browser: &Path,
    options: &[&str],
    files: Vec<Served>,
    patience: Duration,
) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let posted = serve(listener, files);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("browser.log");
    let running = headless(browser, &folder.path().join("profile"))
        .args(options)
        .arg(format!("http://{address}/"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let _running = Running(running);
    posted.recv_timeout(patience).unwrap_or_else(|_| {
        let words = std::fs::read_to_string(&log).unwrap_or_default();
        panic!(
            "{} posted nothing within {patience:?}: {words}",
            browser.display()
        )
    })
}

/// Answers requests in threads of their own until the process ends: browsers open connections that
/// they may never use.
fn serve(listener: TcpListener, files: Vec<Served>) -> Receiver<String> {
    let (sender, posted) = channel();
    let sender = Arc::new(Mutex::new(sender));
    let files = Arc::new(files);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (files, sender) = (Arc::clone(&files), Arc::clone(&sender));
            // A connection that breaks off is the browser's affair.
            std::thread::spawn(move || answer(&stream, &files, &sender));
        }
    });
    posted
}

/// Answers the one request of a connection.
fn answer(
    mut stream: &TcpStream,
    files: &[Served],
    posted: &Mutex<Sender<String>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(REQUEST))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    if first.starts_with("POST /found ") {
        let length = headers.get("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let _ = posted
            .lock()
            .unwrap()
            .send(String::from_utf8_lossy(&body).into_owned());
    }
    let file = files.iter().find(|(served, ..)| *served == path);
    let (status, kind, text) = match file {
        Some((_, kind, text)) => ("200 OK", *kind, text.as_str()),
        None if path == "/found" => ("204 No Content", "text/plain", ""),
        None => ("404 Not Found", "text/plain", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}
