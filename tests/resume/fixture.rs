//! A run with everything that has a state: batch norm, dropout, random changes of the pictures, an
//! optimizer with states, averages, snapshots, and an end that depends on evaluations.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use safetensors::tensor::{Dtype, TensorView};
use wavetrain::rng::{Key, Stream};

/// Sides of the pictures.
const SIDE: usize = 8;

/// Writes pictures of four classes: a noisy pattern for each.
fn write_samples(file: &Path, seed: u64, count: usize) {
    let (patterns, noise) = (
        Key::new(1, Stream::Bench, 0),
        Key::new(seed, Stream::Bench, 1),
    );
    let pixels = SIDE * SIDE;
    let (mut bytes, mut labels) = (Vec::new(), Vec::new());
    for n in 0..count {
        let label = noise.words(n as u32, 1)[0] % 4;
        for pixel in 0..pixels {
            let pattern = patterns.words((label as usize * pixels + pixel) as u32, 0)[0] % 90;
            let noise = noise.words((n * pixels + pixel) as u32, 0)[0] % 160;
            bytes.push((pattern + noise) as u8);
        }
        labels.push(label as u8);
    }
    let x = TensorView::new(Dtype::U8, vec![count, 1, SIDE, SIDE], &bytes).unwrap();
    let y = TensorView::new(Dtype::U8, vec![count], &labels).unwrap();
    let classes = HashMap::from([(
        "classes".to_owned(),
        "[\"a\", \"b\", \"c\", \"d\"]".to_owned(),
    )]);
    fs::write(
        file,
        safetensors::serialize([("x", x), ("y", y)], Some(classes)).unwrap(),
    )
    .unwrap();
}

/// The configuration of a run of `steps` steps with a checkpoint every ten, over data beside it.
pub(crate) fn text(folder: &Path, steps: u64) -> String {
    for (name, seed, count) in [("train", 2, 330), ("test", 3, 60)] {
        let file = folder.join(format!("{name}.safetensors"));
        if !file.exists() {
            write_samples(&file, seed, count);
        }
    }
    let optimizer = "kind = \"adamw\"\nclip_norm = 0.5";
    let layers = "[{ conv2d = { out_channels = 4, kernel_size = 3 } }, \"batch_norm2d\", \"relu\", \
                  \"flatten\", { dropout = 0.2 }, { linear = 4 }]";
    format!(
        "seed = 5\n[data]\nsource = \"safetensors\"\ndir = '{}'\ntrain = \"train.safetensors\"\n\
         test = \"test.safetensors\"\nbatch = 16\nvalidation = 0.2\n[augment]\nshift = 1\n\
         horizontal_flip = 0.5\n[model]\nlayers = {layers}\n[optimizer]\n{optimizer}\n[schedule]\n\
         policy = \"triangular\"\nbase_lr = 0.001\nmax_lr = 0.01\nstep_size_up = 15\n[train]\n\
         steps = {steps}\neval_every = 7\nearly_stop = 60\nchunk = 4\n[cycle_end]\nsnapshot = true\n\
         average = true\n[checkpoint]\nevery = 10\n",
        folder.display()
    )
}

/// The same in a file.
pub(crate) fn config(folder: &Path, steps: u64) -> PathBuf {
    let file = folder.join(format!("steps-{steps}.toml"));
    fs::write(&file, text(folder, steps)).unwrap();
    file
}

/// The program with arguments.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command.args(arguments).env("NO_COLOR", "1");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The command that trains a configuration into a folder.
pub(crate) fn train(config: &Path, out: &Path) -> Command {
    let [config, out] = [config, out].map(|path| path.to_str().unwrap());
    program(&["train", config, "--tensorboard", "--out", out])
}

/// Starts a command whose words nobody reads.
pub(crate) fn start(mut command: Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs a command to its end; its exit status and its words on standard error.
pub(crate) fn run(mut command: Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (
        status.code().unwrap_or(-1),
        String::from_utf8(stderr).unwrap(),
    )
}

/// Runs a command that succeeds.
pub(crate) fn succeed(command: Command) -> String {
    let (status, words) = run(command);
    assert_eq!(status, 0, "{words}");
    words
}

/// Every file of a folder with its bytes.
fn all(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(all(&path)),
            false => {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Refused with exit status 2 and these words, with nothing touched.
pub(crate) fn refused(command: Command, folder: &Path, words: &[&str]) {
    let before = all(folder);
    let (status, said) = run(command);
    assert_eq!(status, 2, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(
        all(folder).keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(all(folder) == before, "files were changed");
}
