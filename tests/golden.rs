//! The golden files themselves: whole, small, and honest about where they come from.

use serde_json::Value;
use std::path::{Path, PathBuf};
use wavetrain::args::Args;
use wavetrain::schedule::{POLICIES, Policy};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All golden files with their contents.
fn files() -> Vec<(PathBuf, Value)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, Value)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let value = serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push((path, value));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("tests/golden"), &mut found);
    assert!(found.len() > 20);
    found
}

#[test]
fn every_file_names_its_script_and_version_and_is_described() {
    let readme = std::fs::read_to_string(root().join("tests/golden/README.md")).unwrap();
    let mut bytes = 0;
    for (path, value) in files() {
        let what = path.display();
        let script = value["made_by"].as_str().unwrap();
        assert!(root().join(script).is_file(), "{what}: {script} is missing");
        assert!(value["torch"].as_str().unwrap().starts_with("2."), "{what}");
        let place = path.strip_prefix(root().join("tests/golden")).unwrap();
        let family = match place.parent().and_then(Path::to_str) {
            Some("") | None => place.display().to_string(),
            Some(folder) => format!("{folder}/*.json"),
        };
        assert!(readme.contains(&family), "the README lacks {family}");
        bytes += path.metadata().unwrap().len();
    }
    assert!(bytes < 700_000, "{bytes} bytes are too many to keep");
}

/// Every tensor has as many finite elements as its shape says.
#[test]
fn tensors_are_whole() {
    fn check(value: &Value, tensors: &mut usize) {
        match value {
            Value::Object(map) => {
                if let (Some(shape), Some(Value::Array(data))) = (map.get("shape"), map.get("data"))
                {
                    let shape = shape.as_array().unwrap().iter();
                    let size: u64 = shape.map(|side| side.as_u64().unwrap()).product();
                    assert_eq!(size, data.len() as u64);
                    assert!(data.iter().all(|x| x.as_f64().is_some_and(f64::is_finite)));
                    *tensors += 1;
                }
                map.values().for_each(|value| check(value, tensors));
            }
            Value::Array(list) => list.iter().for_each(|value| check(value, tensors)),
            _ => {}
        }
    }
    let mut tensors = 0;
    for (_, value) in files() {
        check(&value, &mut tensors);
    }
    assert!(tensors > 200, "{tensors}");
}

/// What goes into an f32 kernel must be the number that PyTorch had in f64.
#[test]
fn inputs_are_exact_in_f32() {
    fn check(value: &Value) {
        for x in value["data"].as_array().unwrap() {
            let x = x.as_f64().unwrap();
            assert_eq!(f64::from(x as f32), x);
        }
    }
    for (_, value) in files() {
        for case in value["cases"].as_array().into_iter().flatten() {
            ["x", "dy"]
                .iter()
                .filter_map(|key| case.get(key))
                .for_each(check);
            let parameters = case.get("parameters").and_then(Value::as_object);
            parameters
                .into_iter()
                .flat_map(|map| map.values())
                .for_each(check);
        }
        for key in ["start", "gradients"] {
            let tensors = value.get(key).and_then(Value::as_object);
            tensors
                .into_iter()
                .flat_map(|map| map.values())
                .for_each(check);
        }
        if let Some(samples) = value.get("samples") {
            check(samples);
            value["weights"]
                .as_object()
                .unwrap()
                .values()
                .for_each(check);
        }
    }
}

/// The rates and momentums of every recorded run are those of its schedule's policy.
#[test]
fn recorded_runs_follow_their_policies() {
    let follow = |name: &str, arguments: &str, run: &Value, own_momentum: f64| {
        let entry = POLICIES.iter().find(|entry| entry.name == name).unwrap();
        let policy: Box<dyn Policy> = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
        assert_eq!(policy.validate(), Ok(()));
        let list = |key: &str| run[key].as_array().unwrap().clone();
        for (step, (lr, momentum)) in list("lr").iter().zip(list("momentum")).enumerate() {
            let rate = policy.at(step as u64);
            let what =
                format!("{name} {arguments:?} at {step}: {rate:?}, PyTorch {lr}, {momentum}");
            assert!((rate.lr - lr.as_f64().unwrap()).abs() < 1e-12, "{what}");
            let found = rate.momentum.unwrap_or(own_momentum);
            assert!((found - momentum.as_f64().unwrap()).abs() < 1e-12, "{what}");
        }
    };
    let mut runs = 0;
    for (_, value) in files() {
        for case in value["cases"].as_array().into_iter().flatten() {
            if let Some(schedule) = case.get("schedule").and_then(Value::as_str) {
                let optimizer: toml::Table = case["arguments"].as_str().unwrap().parse().unwrap();
                let momentum = optimizer["momentum"].as_float().unwrap();
                follow("triangular", schedule, case, momentum);
                runs += 1;
            }
        }
        if let Some(config) = value.get("config").and_then(Value::as_str) {
            let mut config: toml::Table = config.parse().unwrap();
            let momentum = config["optimizer"]["momentum"].as_float().unwrap();
            let schedule = config["schedule"].as_table_mut().unwrap();
            let policy = schedule.remove("policy").unwrap();
            follow(
                policy.as_str().unwrap(),
                &schedule.to_string(),
                &value,
                momentum,
            );
            runs += 1;
        }
    }
    assert_eq!(runs, 20);
}
