//! The golden files themselves: whole, small, and honest about where they come from.

use super::root;
use serde_json::Value;
use std::path::{Path, PathBuf};
use wavetrain::args::Args;
use wavetrain::optim::OPTIMIZERS;
use wavetrain::schedule::{POLICIES, Policy};

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
        let version = |of: &str| value[of].as_str().unwrap_or_default().to_owned();
        let made_with = version("torch").starts_with("2.") || version("scipy").starts_with("1.");
        assert!(made_with, "{what}");
        let place = path.strip_prefix(root().join("tests/golden")).unwrap();
        let family = match place.parent().and_then(Path::to_str) {
            Some("") | None => place.display().to_string(),
            Some(folder) => format!("{folder}/*.json"),
        };
        assert!(readme.contains(&family), "the README lacks {family}");
        bytes += path.metadata().unwrap().len();
    }
    assert!(bytes < 2_500_000, "{bytes} bytes are too many to keep");
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
        // Beside how far f32 is off, gradients are what comes out.
        let results = value.get("gradients_f32_off").is_some();
        for key in ["start", "gradients"].iter().filter(|_| !results) {
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

/// The momentum of an optimizer's own.
fn own_momentum(kind: &str, arguments: &str) -> f64 {
    let entry = OPTIMIZERS.iter().find(|entry| entry.name == kind).unwrap();
    let optimizer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
    optimizer.momentum().unwrap().value
}

/// The rates and momentums of every recorded run are those of its schedule's policy.
#[test]
fn recorded_runs_follow_their_policies() {
    let follow = |name: &str, arguments: &str, run: &Value, updates: &[u64], own: f64| {
        let entry = POLICIES.iter().find(|entry| entry.name == name).unwrap();
        let policy: Box<dyn Policy> = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
        assert_eq!(policy.validate(), Ok(()));
        let list = |key: &str| run[key].as_array().unwrap().clone();
        assert_eq!(list("lr").len(), updates.len(), "{name}");
        for ((update, lr), momentum) in updates.iter().zip(list("lr")).zip(list("momentum")) {
            let rate = policy.at(update - 1);
            let what =
                format!("{name} {arguments:?} at {update}: {rate:?}, PyTorch {lr}, {momentum}");
            assert!((rate.lr - lr.as_f64().unwrap()).abs() < 1e-12, "{what}");
            let found = rate.momentum.unwrap_or(own);
            assert!((found - momentum.as_f64().unwrap()).abs() < 1e-12, "{what}");
        }
    };
    let mut runs = 0;
    for (_, value) in files() {
        let all = |run: &Value| (1..=run["lr"].as_array().unwrap().len() as u64).collect();
        for case in value["cases"].as_array().into_iter().flatten() {
            if let Some(schedule) = case.get("schedule").and_then(Value::as_str) {
                let at = value.get("at").and_then(Value::as_array);
                let updates: Vec<u64> = at.map_or_else(
                    || all(case),
                    |at| at.iter().map(|n| n.as_u64().unwrap()).collect(),
                );
                let kind = value["optimizer"].as_str().unwrap();
                let own = own_momentum(kind, case["arguments"].as_str().unwrap());
                follow("triangular", schedule, case, &updates, own);
                runs += 1;
            }
        }
        if let Some(config) = value.get("config").and_then(Value::as_str) {
            let mut config: toml::Table = config.parse().unwrap();
            let mut optimizer = config["optimizer"].as_table().unwrap().clone();
            let kind = optimizer.remove("kind").unwrap();
            optimizer.remove("clip_norm");
            optimizer.remove("decay_on");
            let own = own_momentum(kind.as_str().unwrap(), &optimizer.to_string());
            let schedule = config["schedule"].as_table_mut().unwrap();
            let policy = schedule.remove("policy").unwrap();
            let updates: Vec<u64> = all(&value);
            // A policy that ends with the run.
            let mut entries = POLICIES.iter();
            let entry = entries.find(|entry| Some(entry.name) == policy.as_str());
            if entry.unwrap().arguments.contains(&"total_steps") {
                let all = schedule.entry("total_steps");
                all.or_insert((updates.len() as i64).into());
            }
            let arguments = schedule.to_string();
            follow(policy.as_str().unwrap(), &arguments, &value, &updates, own);
            runs += 1;
        }
    }
    assert_eq!(runs, 53);
}
