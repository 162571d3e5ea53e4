//! One request for a file, or for the rest of it.

use super::failed;
use crate::error::{Error, Result};
use std::io::Read;
use std::time::Duration;
use ureq::http::{StatusCode, Uri, header};

/// What a server sends.
pub(super) struct Answer {
    /// Where the bytes begin in the file: where was asked for, or 0.
    pub(super) start: u64,
    pub(super) body: Box<dyn Read>,
}

/// Refuses what is no address of HTTP; whether it is on this machine.
pub(super) fn check(address: &str) -> Result<bool> {
    let wrong = |found: String| Error::Argument {
        what: "from".into(),
        found,
        expected: "an address such as https://example.org/mnist/".into(),
        help:
            "files that are on this machine already need no download: set data.dir to their folder"
                .into(),
    };
    let uri: Uri = address
        .parse()
        .map_err(|error| wrong(format!("{address:?} ({error})")))?;
    let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(wrong(format!("{address:?}")));
    };
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    Ok(host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()))
}

/// Who asks: without endless waiting, and past every proxy where the server `is_here`.
fn agent(is_here: bool) -> ureq::Agent {
    /// Far above any delay of a server that is well.
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));
    let mut config = ureq::Agent::config_builder()
        .user_agent(concat!("wavetrain/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .timeout_resolve(PATIENCE)
        .timeout_connect(PATIENCE)
        .timeout_recv_response(PATIENCE)
        .timeout_per_read(PATIENCE);
    if is_here {
        // No proxy leads to this machine.
        config = config.proxy(None);
    }
    config.build().new_agent()
}

/// Asks for the file at `address`, which must have `bytes` bytes, from byte `start` on.
pub(super) fn ask(address: &str, bytes: u64, start: u64) -> Result<Answer> {
    let agent = agent(check(address)?);
    let mut request = agent.get(address);
    if start > 0 {
        request = request.header(header::RANGE, format!("bytes={start}-"));
    }
    let response = request.call().map_err(|error| {
        failed(
            address,
            format!("cannot be reached: {error}"),
            "check the connection, name another server, or fetch the file by hand",
        )
    })?;
    let status = response.status();
    let field = |name| response.headers().get(name)?.to_str().ok();
    let range = field(header::CONTENT_RANGE);
    let start = match (
        status,
        range.map(|range| range.starts_with(&format!("bytes {start}-"))),
    ) {
        (StatusCode::OK, _) => 0,
        (StatusCode::PARTIAL_CONTENT, Some(true)) => start,
        // The server takes no part of a file: once more from the beginning.
        (StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT, _) if start > 0 => {
            return ask(address, bytes, 0);
        }
        _ => {
            let problem = format!("the server answered {status}; expected the file");
            let help = "check the address, or name another server";
            return Err(failed(address, problem, help));
        }
    };
    let total = match range.and_then(|range| range.rsplit_once('/')) {
        Some((_, total)) if start > 0 => total.parse().ok(),
        _ => response.body().content_length(),
    };
    if let Some(total) = total.filter(|total| *total != bytes) {
        return Err(failed(
            address,
            format!("the server has a file of {total} bytes; expected {bytes}"),
            "this is another file; name another server",
        ));
    }
    Ok(Answer {
        start,
        body: Box::new(response.into_body().into_reader()),
    })
}
