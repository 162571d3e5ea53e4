//! Good inputs, and the judge of what a damaged one comes to.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use npyz::WriterBuilder as _;
use safetensors::tensor::{Dtype, TensorView};
use wavetrain::error::shown::MESSAGE;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// No damaged input takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No damaged input takes more memory, in KiB: 1 GB.
const MEMORY: u64 = 1_000_000_000 / 1024;

/// Runs the program in a folder of its own.
pub(crate) struct Judge {
    what: String,
    folder: tempfile::TempDir,
}

impl Judge {
    pub(crate) fn new(kind: &str, number: u64) -> Self {
        Self {
            what: format!("{kind} {number}"),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program on what is whole: it comes as far as to the adapter, which there is not.
    pub(crate) fn run_whole(&self, arguments: &[&str]) {
        let said = self.run(arguments);
        let far = said.contains("no usable adapter") || !said.contains("error: ");
        assert!(far, "{} {arguments:?} is not good: {said}", self.what);
    }

    /// Runs the program and judges how it ends; gives what it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
        command.args(arguments).current_dir(self.folder());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, errors) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let (status, most) = wait(&mut child);
        let [out, errors] = [out, errors].map(|reader| reader.join().unwrap());
        let what = format!("{} {arguments:?}\n{out}\n{errors}", self.what);
        assert!(!errors.contains("panicked"), "a panic: {what}");
        assert!(most <= MEMORY, "{most} KiB of memory: {what}");
        assert!(
            matches!(status, Some(0..=2)),
            "the status {status:?}: {what}"
        );
        let raw = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!out.contains(raw) && !errors.contains(raw), "raw: {what:?}");
        let message = errors.rfind("error: ").map_or("", |at| &errors[at..]);
        assert!(
            message.len() <= MESSAGE + 100,
            "{} bytes: {what}",
            message.len()
        );
        assert!(
            status == Some(0) || out.len() + errors.len() > 5,
            "nothing is said: {what}"
        );
        errors
    }
}

fn drain<R: std::io::Read + Send + 'static>(from: Option<R>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.unwrap().read_to_end(&mut bytes).unwrap();
        // What wgpu's drivers say is not the program's.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.replace(
            "error: XDG_RUNTIME_DIR is invalid or not set in the environment.\n",
            "",
        )
    })
}

/// The exit status, and the most memory that was resident in KiB, where the system tells it.
fn wait(child: &mut Child) -> (Option<i32>, u64) {
    let begun = Instant::now();
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        // The system keeps the highest value itself.
        let text = fs::read_to_string(&file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), most);
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            return (None, most);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// All files below a folder.
pub(crate) fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => below(&path, found),
            false => found.push(path),
        }
    }
    found.sort();
}

/// Copies what is below a folder into another.
pub(crate) fn copy(from: &Path, to: &Path) {
    let mut files = Vec::new();
    below(from, &mut files);
    for file in files {
        let copied = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copied.parent().unwrap()).unwrap();
        fs::copy(&file, copied).unwrap();
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// MNIST's four files, of a few samples; one of them packed.
pub(crate) fn write_idx(folder: &Path) -> [&'static str; 4] {
    let idx = |dimensions: &[u32], values: Vec<u8>| {
        let mut file = vec![0, 0, 8, dimensions.len() as u8];
        file.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
        file.extend(values);
        file
    };
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte.gz",
    ];
    let labels = || (0..20).map(|i| i % 10).collect();
    for name in [names[0], names[2]] {
        let pixels = (0..20 * 784).map(|i| (i % 251) as u8).collect();
        fs::write(folder.join(name), idx(&[20, 28, 28], pixels)).unwrap();
    }
    fs::write(folder.join(names[1]), idx(&[20], labels())).unwrap();
    fs::write(folder.join(names[3]), gzip(&idx(&[20], labels()))).unwrap();
    names
}

/// The tar file of CIFAR-10, of two samples in each batch.
pub(crate) fn cifar_tar() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let batches = (1..=5).map(|batch| format!("data_batch_{batch}.bin"));
    for name in batches.chain(["test_batch.bin".to_owned()]) {
        let bytes: Vec<u8> = (0..2 * 3073)
            .map(|i| if i % 3073 == 0 { 3 } else { i as u8 })
            .collect();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let path = format!("cifar-10-batches-bin/{name}");
        archive.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

/// Two classes of pictures, PNG and JPEG, for training and test.
pub(crate) fn write_pictures(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for part in ["train", "test"] {
        for (class, value) in [("dark", 20), ("light", 220)] {
            fs::create_dir_all(folder.join(part).join(class)).unwrap();
            for ending in ["png", "jpg"] {
                let name = format!("{part}/{class}/a.{ending}");
                let picture = image::RgbImage::from_fn(8, 8, |x, y| {
                    image::Rgb([value, (16 * x) as u8, (16 * y) as u8])
                });
                picture.save(folder.join(&name)).unwrap();
                names.push(name);
            }
        }
    }
    names
}

/// A configuration and its samples: rows of 16 bytes in three classes.
pub(crate) fn write_samples(folder: &Path) {
    for name in ["train", "test"] {
        let bytes: Vec<u8> = (0..60 * 16)
            .map(|i| (i / 16 % 3 * 80 + i % 16) as u8)
            .collect();
        let labels: Vec<u8> = (0..60).map(|i| i % 3).collect();
        let x = TensorView::new(Dtype::U8, vec![60, 16], &bytes).unwrap();
        let y = TensorView::new(Dtype::U8, vec![60], &labels).unwrap();
        let names = HashMap::from([("classes".to_owned(), "[\"a\", \"b\", \"c\"]".to_owned())]);
        let file = safetensors::serialize([("x", x), ("y", y)], Some(names)).unwrap();
        fs::write(folder.join(format!("{name}.safetensors")), file).unwrap();
    }
    let text = "seed = 3\n[data]\nsource = \"safetensors\"\ndir = \".\"\ntrain = \"train.safetensors\"\n\
        test = \"test.safetensors\"\nbatch = 8\nvalidation = 0.2\n[model]\nlayers = [{ linear = 8 }, \
        { residual = { body = [\"tanh\", { linear = { out_features = 8, init = { normal = 0.1 } } }] } }, \
        { linear = 3 }]\n[optimizer]\nkind = \"adamw\"\nbetas = [0.9, 0.99]\n[schedule]\n\
        policy = \"sequence\"\npolicies = [{ policy = \"triangular\", base_lr = 0.001, max_lr = 0.01, \
        step_size_up = 5, steps = 10 }, { policy = \"constant\", lr = 0.001 }]\n[train]\nsteps = 20\n\
        eval_every = 5\n[checkpoint]\nevery = 10\n";
    // Where the samples of the good folder are, wherever copies of it lie.
    let text = text.replace(
        "dir = \".\"",
        &format!("dir = {:?}", folder.display().to_string()),
    );
    fs::write(folder.join("own.toml"), text).unwrap();
}

/// An archive of arrays, as they are and compressed: rows of 16 bytes in three classes.
pub(crate) fn write_arrays(folder: &Path) {
    let array = |shape: &[u64], of: fn(usize) -> u8| {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(shape);
        let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
        let count = shape.iter().product::<u64>() as usize;
        writer.extend((0..count).map(of)).unwrap();
        writer.finish().unwrap();
        bytes
    };
    let x = array(&[60, 16], |i| (i / 16 % 3 * 80 + i % 16) as u8);
    let y = array(&[60], |i| (i % 3) as u8);
    let mut archive = ZipWriter::new(File::create(folder.join("all.npz")).unwrap());
    for (name, array, method) in [
        ("x_train", &x, CompressionMethod::Stored),
        ("y_train", &y, CompressionMethod::Stored),
        ("x_test", &x, CompressionMethod::Deflated),
        ("y_test", &y, CompressionMethod::Deflated),
    ] {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap();
}

/// The comparison in the good folder.
pub(crate) const COMPARE: [&str; 9] = [
    "compare",
    "./own.toml",
    "--vary",
    "optimizer.weight_decay=0,0.1",
    "--seeds",
    "2",
    "--out",
    "compared",
    "--json",
];

/// A folder with a configuration, its samples, a run and a comparison.
pub(crate) fn run_folder() -> &'static Path {
    static GOOD: OnceLock<tempfile::TempDir> = OnceLock::new();
    let good = GOOD.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        write_samples(folder.path());
        for arguments in [&["train", "./own.toml", "--out", "run"][..], &COMPARE] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
            let out = command
                .args(arguments)
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(
                out.status.success(),
                "{}",
                String::from_utf8_lossy(&out.stderr)
            );
        }
        folder
    });
    good.path()
}
