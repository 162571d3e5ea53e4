//! A server of one file on this machine, well-behaved or not.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends the file, or the part that is asked for.
    Well,
    /// Sends the whole file whatever is asked for.
    NoParts,
    /// Answers 416 where a part is asked for.
    RefusesParts,
    /// Answers with a part, but with another one than was asked for.
    OtherPart,
    /// Does not say how long the file is.
    NoLength,
    /// Ends the connection when the file is sent up to here.
    Cut(usize),
    /// Goes silent when the file is sent up to here.
    Stops(usize),
    /// Answers with this status.
    Status(&'static str),
    /// Sends to another address first.
    Redirect,
}

/// A server on a port of its own; its threads end with the test.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new(file: &[u8], manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, file) = (Arc::clone(&requests), file.to_vec());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Clients may leave at any time.
                let _ = serve(stream, &file, manner, &seen);
            }
        });
        Self { address, requests }
    }

    /// The address of the folder with the file.
    pub(crate) fn home(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What was asked for: the path, and from which byte on.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    file: &[u8],
    manner: Manner,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (path, start) = request(&stream)?;
    seen.lock().unwrap().push(match start {
        0 => path.clone(),
        _ => format!("{path} from {start}"),
    });
    let mut head = |status: &str, fields: &str| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nConnection: close\r\n{fields}\r\n"
        )
    };
    if let Manner::Status(status) = manner {
        return head(status, "Content-Length: 0\r\n");
    }
    if manner == Manner::Redirect && !path.starts_with("/moved") {
        return head(
            "302 Found",
            &format!("Location: /moved{path}\r\nContent-Length: 0\r\n"),
        );
    }
    if manner == Manner::RefusesParts && start > 0 {
        return head("416 Range Not Satisfiable", "Content-Length: 0\r\n");
    }
    let (from, to) = match manner {
        Manner::NoParts | Manner::NoLength => (0, file.len()),
        Manner::Cut(end) | Manner::Stops(end) => (start, end),
        _ => (start, file.len()),
    };
    let length = format!("Content-Length: {}\r\n", file.len() - from);
    match (manner, from) {
        (Manner::NoLength, _) => head("200 OK", ""),
        (_, 0) => head("200 OK", &length),
        (_, from) => {
            let told = from + usize::from(manner == Manner::OtherPart);
            let range = format!("bytes {told}-{}/{}", file.len() - 1, file.len());
            head(
                "206 Partial Content",
                &format!("{length}Content-Range: {range}\r\n"),
            )
        }
    }?;
    stream.write_all(&file[from..to.max(from)])?;
    if let Manner::Stops(_) = manner {
        // Until the client is gone.
        thread::sleep(Duration::from_secs(120));
    }
    Ok(())
}

/// The path that is asked for, and the byte from which on.
fn request(stream: &TcpStream) -> std::io::Result<(String, usize)> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or("").to_owned();
    let mut start = 0;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap();
        }
    }
    Ok((path, start))
}
