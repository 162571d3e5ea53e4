//! Signals that end a run: the first one lets it finish what it is at, the second one leaves at
//! once.

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts;
use signal_hook::flag;

use super::output;
use crate::error::{Error, Result};
use crate::train::{Event, Flow, Observer};

/// Ctrl-C, the system's wish that the program ends, and the end of the terminal.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [consts::SIGINT, consts::SIGTERM, consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [consts::SIGINT, consts::SIGTERM];

/// Whether signals still end the first process of a container.
static ENDS_AT_ONCE: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Lets signals end the program until somebody listens to them, as they end any other: the kernel has no
/// default action for the first process of a container (`pid_namespaces(7)`), and a SIGTERM while the data
/// are read would be lost.
pub(super) fn end_at_once() {
    if std::process::id() != 1 {
        return;
    }
    let ends = ENDS_AT_ONCE.get_or_init(|| Arc::new(AtomicBool::new(true)));
    let ignored = ignored();
    for signal in SIGNALS {
        if ignored & 1 << (signal - 1) == 0 {
            let ends = Arc::clone(ends);
            if let Err(error) = flag::register_conditional_shutdown(signal, 128 + signal, ends) {
                log::warn!("signal {signal} is not heard before training begins: {error}");
            }
        }
    }
}

/// Ends the run when a signal came.
#[derive(Debug)]
pub(super) struct Signals {
    /// The first signal; 0: none yet.
    heard: Arc<AtomicUsize>,
    told: bool,
}

impl Signals {
    /// Listens from now on. Signals that were ignored when the program started (`nohup`, a shell's
    /// `&`) stay ignored.
    pub(super) fn listen() -> Self {
        let (heard, again) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let ignored = ignored();
        for signal in SIGNALS {
            let listened = match ignored & 1 << (signal - 1) {
                0 => one(signal, &heard, &again),
                _ => Ok(()),
            };
            if let Err(error) = listened {
                log::warn!("signal {signal} will end the program at once: {error}");
            }
        }
        if let Some(ends) = ENDS_AT_ONCE.get() {
            ends.store(false, Ordering::SeqCst);
        }
        Self { heard, told: false }
    }

    /// Whether a signal came.
    pub(super) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::SeqCst) != 0
    }

    /// Ends what cannot go on later when a signal came: for those who are told how far it is.
    pub(super) fn check(&self, what: &str) -> Result<()> {
        match self.is_heard() {
            true => Err(Error::Interrupted { what: what.into() }),
            false => Ok(()),
        }
    }

    /// The exit status where an error is the signal's doing; the error itself where not.
    pub(super) fn status_of(&self, error: Error) -> Result<ExitCode> {
        output::clear_status();
        match error {
            Error::Interrupted { .. } => {
                output::note(&[error.to_string()]);
                Ok(self.status())
            }
            error => Err(error),
        }
    }

    /// The exit status of a run that a signal ended, as shells have it: 128 + the signal's number.
    pub(super) fn status(&self) -> ExitCode {
        let signal = self.heard.load(Ordering::SeqCst);
        ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
    }
}

/// What is registered first happens first: with the second signal the program ends.
fn one(signal: i32, heard: &Arc<AtomicUsize>, again: &Arc<AtomicBool>) -> io::Result<()> {
    flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(again))?;
    flag::register(signal, Arc::clone(again))?;
    let number = usize::try_from(signal).unwrap_or_default();
    flag::register_usize(signal, Arc::clone(heard), number)?;
    Ok(())
}

/// The signals that are ignored, a bit each, the first one the lowest. Linux tells; where nobody
/// does, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0))
}

impl Observer for Signals {
    fn on(&mut self, _: &Event<'_>) -> Result<Flow> {
        if self.heard.load(Ordering::SeqCst) == 0 {
            return Ok(Flow::Continue);
        }
        if !self.told {
            self.told = true;
            output::interrupting();
        }
        Ok(Flow::Interrupt)
    }
}
