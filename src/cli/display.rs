//! The folder in which displays have their sockets: some drivers complain on standard error that there is
//! none, though nothing is ever shown.

use std::env;

/// The folder's variable.
#[cfg(target_os = "linux")]
const FOLDER: &str = "XDG_RUNTIME_DIR";

/// Begins the program again with a folder named, where there is none; returns where there is one, or where
/// it cannot be begun again.
///
/// A program cannot set a variable of its own safely: drivers may read it on another thread.
#[cfg(target_os = "linux")]
pub fn name_folder() {
    use std::os::unix::process::CommandExt;
    if env::var_os(FOLDER).is_some_and(|folder| !folder.is_empty()) {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let mut again = std::process::Command::new(program);
    // Only where it fails does this return.
    let _ = again
        .arg0(name)
        .args(arguments)
        .env(FOLDER, env::temp_dir())
        .exec();
}

/// Elsewhere nobody asks for it.
#[cfg(not(target_os = "linux"))]
pub fn name_folder() {}
