//! The merged text becomes a [`Config`]: every key read, typed and checked.

use toml::de::{DeTable, DeValue};

use super::augment;
use super::entries::{self, Family};
use super::problem::Problem;
use super::settle;
use super::sources;
use super::suggest;
use super::text::Texts;
use super::value::{Section, Value};
use super::{Chunk, Config, CycleEnd, HELD_OUT, Length, Tables, Train};
use crate::layer::Layer;

pub(super) type Problems = Vec<Problem>;

/// The sections and the keys that have a fixed place; the tables `loss`, `optimizer` and
/// `schedule` have their entries' arguments besides. `run` is information and not looked into.
const SECTIONS: [(&str, &[&str]); 10] = [
    ("seed", &[]),
    (
        "data",
        &[
            "source",
            "dir",
            "seed",
            "validation",
            "batch",
            "shuffle",
            "drop_last",
            "normalize",
            "size",
            "resize",
            "test_share",
            "train",
            "test",
        ],
    ),
    ("augment", &augment::KEYS),
    ("model", &["layers"]),
    ("loss", &["kind"]),
    ("optimizer", &["kind"]),
    ("schedule", &["policy"]),
    (
        "train",
        &[
            "epochs",
            "steps",
            "eval_every",
            "early_stop",
            "log_every",
            "chunk",
        ],
    ),
    ("cycle_end", &["snapshot", "average"]),
    ("run", &[]),
];

/// The longest chunk: a ring of so many slots is the most that is ever useful.
const LONGEST_CHUNK: u64 = 65_536;

/// Reads the merged configuration; all problems of one run at once.
pub(super) fn resolve<'t>(
    merged: &DeTable<'t>,
    texts: &'t Texts,
    tables: &Tables,
) -> Result<Config, Problems> {
    keys_and_numbers(merged, tables)?;
    let seed = seed(merged, texts);
    let of = |name| Section::of(merged, name, texts).map_err(one);
    let data = of("data").and_then(|section| sources::data_section(&section, tables));
    let augment = of("augment").and_then(|section| augment::augment_section(&section));
    let layers = of("model").and_then(|section| model_section(&section, tables));
    let train = with_cycle_end(of("train"), of("cycle_end"));
    let loss = of("loss").and_then(|s| entries::select(&s, LOSS, tables.losses, |l| l.validate()));
    let optimizer = of("optimizer")
        .and_then(|s| entries::select(&s, OPTIMIZER, tables.optimizers, |o| o.validate()));
    let runs = settle::runs(data.as_ref().ok(), train.as_ref().ok().map(|t| &t.0));
    let schedule = of("schedule").and_then(|s| entries::policy(&s, POLICY, tables.policies, &runs));
    match (
        seed, data, augment, layers, loss, optimizer, schedule, train,
    ) {
        (
            Ok(seed),
            Ok(data),
            Ok(augment),
            Ok(layers),
            Ok(loss),
            Ok(optimizer),
            Ok(schedule),
            Ok((train, cycle_end)),
        ) => {
            let config = with_held_out(Config {
                seed,
                data,
                augment,
                layers,
                loss,
                optimizer,
                schedule,
                bounds: None,
                train,
                cycle_end,
            });
            across(&config, merged).map(|()| config)
        }
        (seed, data, augment, layers, loss, optimizer, schedule, train) => Err([
            seed.err(),
            data.err(),
            augment.err(),
            layers.err(),
            loss.err(),
            optimizer.err(),
            schedule.err(),
            train.err(),
        ]
        .into_iter()
        .flatten()
        .flatten()
        .collect()),
    }
}

/// What depends on evaluations is never told the test set.
fn with_held_out(mut config: Config) -> Config {
    let judged = config.schedule.reads_evaluations() || config.train.early_stop > 0;
    if judged && config.data.validation == 0.0 {
        config.data.validation = HELD_OUT;
    }
    config
}

/// What can be said of any table: its keys are known, its numbers finite.
fn keys_and_numbers(merged: &DeTable<'_>, tables: &Tables) -> Result<(), Problems> {
    let mut problems = unknown_keys(merged, tables);
    not_finite(merged, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

const LOSS: Family = Family {
    what: "loss",
    selector: "kind",
};
const OPTIMIZER: Family = Family {
    what: "optimizer",
    selector: "kind",
};
const POLICY: Family = Family {
    what: "policy",
    selector: "policy",
};

fn one(problem: Problem) -> Problems {
    vec![problem]
}

fn seed(merged: &DeTable<'_>, texts: &Texts) -> Result<u64, Problems> {
    let Some(value) = merged.get("seed") else {
        return Err(one(Problem::new("seed", "seed is missing")));
    };
    let key = "seed".to_owned();
    Value { key, value, texts }.whole(0).map_err(one)
}

/// The value, or its problem among the others.
pub(super) fn keep<T>(result: Result<T, Problem>, problems: &mut Problems) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn model_section(
    section: &Section<'_, '_>,
    tables: &Tables,
) -> Result<Vec<Box<dyn Layer>>, Problems> {
    let value = section.need("layers").map_err(one)?;
    let DeValue::Array(array) = value.value.get_ref() else {
        let problem = value.wrong("a list of layers, such as [\"flatten\", { linear = 10 }]");
        return Err(one(if value.value.get_ref().is_table() {
            problem.help("a single layer cannot be set; give the whole list")
        } else {
            problem
        }));
    };
    if array.is_empty() {
        return Err(one(value.refuse("is empty; a model has at least one layer")));
    }
    let mut layers = Vec::new();
    let mut problems = Problems::new();
    for (position, element) in array.iter().enumerate() {
        let element = Value {
            key: format!("model.layers[{position}]"),
            value: element,
            texts: value.texts,
        };
        match entries::layer(&element, tables.layers, |layer| layer.validate()) {
            Ok(layer) => layers.push(layer),
            Err(some) => problems.extend(some),
        }
    }
    if problems.is_empty() {
        Ok(layers)
    } else {
        Err(problems)
    }
}

fn train_section(section: &Section<'_, '_>) -> Result<Train, Problems> {
    let mut problems = Problems::new();
    let length = match section.get("steps") {
        Some(steps) => steps.whole(1).map(Length::Steps),
        None => section
            .need("epochs")
            .and_then(|epochs| epochs.whole(1))
            .map(Length::Epochs),
    };
    let eval_every = section
        .need("eval_every")
        .and_then(|value| length_of(&value));
    let early_stop = section.need("early_stop").and_then(|value| value.whole(0));
    let log_every = section.need("log_every").and_then(|value| value.whole(1));
    let chunk = section.need("chunk").and_then(|value| chunk_of(&value));
    let all = (
        keep(length, &mut problems),
        keep(eval_every, &mut problems),
        keep(early_stop, &mut problems),
        keep(log_every, &mut problems),
        keep(chunk, &mut problems),
    );
    match all {
        (Some(length), Some(eval_every), Some(early_stop), Some(log_every), Some(chunk)) => {
            Ok(Train {
                length,
                eval_every,
                early_stop,
                log_every,
                chunk,
            })
        }
        _ => Err(problems),
    }
}

/// `[train]` and `[cycle_end]`, with the problems of both.
fn with_cycle_end(
    train: Result<Section<'_, '_>, Problems>,
    cycle_end: Result<Section<'_, '_>, Problems>,
) -> Result<(Train, CycleEnd), Problems> {
    let train = train.and_then(|section| train_section(&section));
    let cycle_end = cycle_end.and_then(|section| cycle_end_section(&section));
    match (train, cycle_end) {
        (Ok(train), Ok(cycle_end)) => Ok((train, cycle_end)),
        (train, cycle_end) => Err([train.err(), cycle_end.err()]
            .into_iter()
            .flatten()
            .flatten()
            .collect()),
    }
}

fn cycle_end_section(section: &Section<'_, '_>) -> Result<CycleEnd, Problems> {
    let mut problems = Problems::new();
    let mut switch = |key| {
        let value = section.need(key).and_then(|value| value.flag());
        keep(value, &mut problems)
    };
    match (switch("snapshot"), switch("average")) {
        (Some(snapshot), Some(average)) => Ok(CycleEnd { snapshot, average }),
        _ => Err(problems),
    }
}

/// `500`, `"500 steps"`, `"1 epoch"`.
fn length_of(value: &Value<'_, '_>) -> Result<Length, Problem> {
    let expected = "a number of steps (500) or a string such as \"1 epoch\" or \"500 steps\"";
    let DeValue::String(text) = value.value.get_ref() else {
        return match value.value.get_ref() {
            DeValue::Integer(_) => value.whole(1).map(Length::Steps),
            _ => Err(value.wrong(expected)),
        };
    };
    let mut words = text.split_whitespace();
    let number = words.next().and_then(|word| word.parse::<u64>().ok());
    let number = number.filter(|n| *n >= 1 && i64::try_from(*n).is_ok());
    match (number, words.next(), words.next()) {
        (Some(n), Some("epoch" | "epochs"), None) => Ok(Length::Epochs(n)),
        (Some(n), Some("step" | "steps") | None, None) => Ok(Length::Steps(n)),
        _ => Err(value.wrong(expected)),
    }
}

fn chunk_of(value: &Value<'_, '_>) -> Result<Chunk, Problem> {
    match value.value.get_ref() {
        DeValue::String(text) if text == "auto" => Ok(Chunk::Auto),
        DeValue::Integer(_) => {
            let steps = value.whole_to(1, LONGEST_CHUNK)?;
            Ok(u32::try_from(steps).map_or(Chunk::Auto, Chunk::Fixed))
        }
        _ => Err(value.wrong("\"auto\" or a number of steps per submission")),
    }
}

/// What concerns more than one table.
fn across(config: &Config, merged: &DeTable<'_>) -> Result<(), Problems> {
    let place = |key: &str| super::layers::get(merged, key).map(toml::Spanned::span);
    if let Some([base, max]) = config.schedule.momentum_range()
        && config.optimizer.momentum().is_none_or(|m| m == 0.0)
    {
        let mut problem = Problem::new(
            "schedule.cycle_momentum",
            format!(
                "schedule.cycle_momentum is true, but optimizer.momentum is 0; \
                 there is no momentum to cycle between {base} and {max}"
            ),
        )
        .help("set optimizer.momentum (0.9 is usual), or schedule.cycle_momentum = false");
        problem.span = place("schedule.cycle_momentum").or_else(|| place("schedule.policy"));
        if let Some(momentum) = place("optimizer.momentum") {
            problem = problem.and(momentum, "the momentum");
        }
        return Err(one(problem));
    }
    Ok(())
}

/// A problem for each key outside the tables of entries that nobody reads.
fn unknown_keys(merged: &DeTable<'_>, tables: &Tables) -> Problems {
    let mut problems = Problems::new();
    let sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    for (key, value) in merged {
        let name: &str = key.get_ref();
        let Some((_, known)) = SECTIONS.iter().find(|(section, _)| *section == name) else {
            problems.push(unknown(name, name, &sections, tables).at(key.span()));
            continue;
        };
        let entries = ["loss", "optimizer", "schedule", "run", "seed"].contains(&name);
        if let (false, DeValue::Table(table)) = (entries, value.get_ref()) {
            for key in table
                .keys()
                .filter(|key| !known.contains(&key.get_ref().as_ref()))
            {
                let path = format!("{name}.{}", key.get_ref());
                problems.push(unknown(&path, key.get_ref(), known, tables).at(key.span()));
            }
        }
    }
    problems
}

fn unknown(path: &str, name: &str, known: &[&str], tables: &Tables) -> Problem {
    let problem = Problem::new(path, format!("unknown key {path}"));
    if let Some(near) = suggest::nearest(name, known.iter().copied()) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let homes: Vec<String> = SECTIONS
        .iter()
        .filter(|(_, keys)| keys.contains(&name))
        .map(|(section, _)| *section)
        .chain(tables.homes(name))
        .map(|section| format!("{section}.{name}"))
        .collect();
    if !homes.is_empty() {
        let homes = suggest::list(homes.iter().map(String::as_str), "or");
        return problem.help(format!("did you mean {homes}?"));
    }
    let known = suggest::list(known.iter().copied(), "and");
    problem.help(match path.rsplit_once('.') {
        Some((section, _)) => format!("[{section}] has {known}"),
        None => format!("the tables and keys at the top are {known}"),
    })
}

/// No number of a configuration is NaN or infinite, whoever reads it.
fn not_finite(merged: &DeTable<'_>, problems: &mut Problems) {
    fn walk(path: &str, value: &toml::Spanned<DeValue<'_>>, problems: &mut Problems) {
        match value.get_ref() {
            DeValue::Float(number) if !super::value::float(number).is_some_and(f64::is_finite) => {
                let message = format!("{path} is {number}; expected a finite number");
                problems.push(Problem::new(path, message).at(value.span()));
            }
            DeValue::Array(array) => {
                for (position, element) in array.iter().enumerate() {
                    walk(&format!("{path}[{position}]"), element, problems);
                }
            }
            DeValue::Table(table) => {
                for (key, value) in table {
                    walk(&format!("{path}.{}", key.get_ref()), value, problems);
                }
            }
            _ => {}
        }
    }
    for (key, value) in merged.iter().filter(|(key, _)| key.get_ref() != "run") {
        walk(key.get_ref(), value, problems);
    }
}
