//! The merged text becomes a [`Config`]: every key read, typed and checked.

use toml::de::{DeTable, DeValue};

use super::entries::{self, Family};
use super::optimizer;
use super::problem::{Problem, Problems, keep};
use super::section;
use super::sections::Top;
use super::settle;
use super::sources;
use super::suggest;
use super::tables::Tables;
use super::text::Texts;
use super::value::{Section, Value};
use super::{Bounds, Checkpoints, Config, CycleEnd, Data, HELD_OUT, Train};
use crate::args::{is_f32, stated};
use crate::data::Augment;
use crate::layer::Layer;

/// The sections and the keys that have a fixed place, and those of all sources; the tables `loss`,
/// `optimizer` and `schedule` have their entries' arguments besides. `run` is information and not looked into.
fn sections(tables: &Tables) -> [(&'static str, Vec<&'static str>); 11] {
    let mut data = [&["source"], stated::<Data>().names].concat();
    for key in tables.sources.iter().flat_map(|source| source.arguments) {
        if !data.contains(key) {
            data.push(key);
        }
    }
    [
        ("seed", vec![]),
        ("data", data),
        ("augment", stated::<Augment>().names.to_vec()),
        ("model", vec!["layers", "freeze"]),
        ("loss", vec!["kind"]),
        ("optimizer", [&["kind"], optimizer::BESIDE].concat()),
        ("schedule", vec!["policy"]),
        ("train", stated::<Train>().names.to_vec()),
        ("cycle_end", stated::<CycleEnd>().names.to_vec()),
        ("checkpoint", stated::<Checkpoints>().names.to_vec()),
        ("run", vec![]),
    ]
}

/// Reads the merged configuration; all problems of one run at once.
pub(super) fn resolve<'t>(
    merged: &DeTable<'t>,
    texts: &'t Texts,
    tables: &Tables,
) -> Result<Config, Problems> {
    keys_and_numbers(merged, tables)?;
    let of = |name| Section::of(merged, name, texts).map_err(one);
    let mut told = Problems::new();
    let top = keep(top(merged, texts), &mut told);
    let data = of("data").and_then(|section| sources::data_section(&section, tables));
    let data = keep(data, &mut told);
    let augment = keep(of("augment").and_then(|s| section::read(&s)), &mut told);
    let layers = of("model").and_then(|section| model_section(&section, tables));
    let layers = keep(layers, &mut told);
    let freeze = keep(of("model").and_then(|section| freeze(&section)), &mut told);
    let loss = of("loss").and_then(|s| entries::select(&s, LOSS, tables.losses, |l| l.validate()));
    let loss = keep(loss, &mut told);
    let optimizer = of("optimizer").and_then(|section| optimizer::read(&section, tables));
    let optimizer = keep(optimizer, &mut told);
    // Said after those of the schedule, which is tried in the run that they make.
    let mut last = Problems::new();
    let train = keep(of("train").and_then(|s| section::read(&s)), &mut last);
    let cycle_end = keep(of("cycle_end").and_then(|s| section::read(&s)), &mut last);
    let checkpoint = keep(of("checkpoint").and_then(|s| section::read(&s)), &mut last);
    let runs = settle::runs(data.as_ref(), train.as_ref());
    let schedule = of("schedule").and_then(|s| entries::policy(&s, POLICY, tables.policies, &runs));
    let schedule = keep(schedule, &mut told);
    told.extend(last);
    let (Some(Top { seed }), Some(data), Some(augment), Some(layers), Some(freeze), Some(loss)) =
        (top, data, augment, layers, freeze, loss)
    else {
        return Err(told);
    };
    let (Some(chosen), Some(schedule), Some(train), Some(cycle_end), Some(checkpoint)) =
        (optimizer, schedule, train, cycle_end, checkpoint)
    else {
        return Err(told);
    };
    let config = with_held_out(Config {
        seed,
        data,
        augment,
        layers,
        freeze,
        loss,
        optimizer: chosen.optimizer,
        clip_norm: chosen.clip_norm,
        decay_on: chosen.decay_on,
        lr_mult: chosen.lr_mult,
        schedule,
        train,
        cycle_end,
        checkpoint,
        tables: *tables,
        bounds: super::layers::get(merged, "run.bounds")
            .and_then(|line| Bounds::read(line.get_ref().as_str()?)),
    });
    if let Some(problem) = stateful(&config.data, merged) {
        return Err(one(problem));
    }
    across(&config, merged).map(|()| config)
}

/// Streams that go on from batch to batch keep their order.
fn stateful(data: &Data, merged: &DeTable<'_>) -> Option<Problem> {
    if !data.stateful() || !data.shuffle {
        return None;
    }
    let place = |key: &str| super::layers::get(merged, key).map(toml::Spanned::span);
    let message = "data.stateful is true, and so is data.shuffle; expected windows in their order, so \
                   that each batch goes on where the one before it ends";
    let mut problem = Problem::new("data.stateful", message).help("set data.shuffle = false");
    problem.span = place("data.stateful");
    Some(problem)
}

/// What depends on evaluations is never told the test set.
fn with_held_out(mut config: Config) -> Config {
    let judged = config.schedule.sample().reads_evaluations() || config.train.early_stop > 0;
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
    beside: &[],
};
const POLICY: Family = Family {
    what: "policy",
    selector: "policy",
    beside: &[],
};

fn one(problem: Problem) -> Problems {
    vec![problem]
}

/// The keys outside the tables.
fn top<'t>(merged: &DeTable<'t>, texts: &'t Texts) -> Result<Top, Problems> {
    let keys = stated::<Top>().names.iter();
    let pairs = keys.filter_map(|key| merged.get_key_value(*key));
    let table = pairs
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    section::read(&Section {
        name: "",
        table: &table,
        span: 0..0,
        texts,
    })
}

/// `model.freeze`: a list of strings; which layers there are is known later.
fn freeze(section: &Section<'_, '_>) -> Result<Vec<String>, Problems> {
    let Some(value) = section.get("freeze") else {
        return Ok(Vec::new());
    };
    let expected = "a list of positions and names, such as [\"0-5\", \"7.*\"]";
    let list = value.value.get_ref().as_array();
    let list = list.ok_or_else(|| one(value.wrong(expected)))?;
    let names = list.iter().map(|name| match name.get_ref().as_str() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(one(value.wrong(expected))),
    });
    names.collect()
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

/// What concerns more than one table.
fn across(config: &Config, merged: &DeTable<'_>) -> Result<(), Problems> {
    let place = |key: &str| super::layers::get(merged, key).map(toml::Spanned::span);
    let Some([base, max]) = config.schedule.sample().momentum_range() else {
        return Ok(());
    };
    let (found, set, at) = match config.optimizer.momentum() {
        Some(own) if own.value > 0.0 => return Ok(()),
        Some(own) => {
            let key = format!("optimizer.{}", own.key);
            let argument = key.split('[').next().unwrap_or(&key);
            (
                format!("{key} is 0"),
                format!("set {key} (0.9 is usual), or "),
                place(argument),
            )
        }
        None => (
            format!("optimizer {} has no momentum", config.optimizer.name()),
            String::new(),
            place("optimizer.kind"),
        ),
    };
    let mut problem = Problem::new(
        "schedule.cycle_momentum",
        format!(
            "schedule.cycle_momentum is true, but {found}; \
             there is no momentum to cycle between {base} and {max}"
        ),
    )
    .help(format!("{set}schedule.cycle_momentum = false"));
    problem.span = place("schedule.cycle_momentum").or_else(|| place("schedule.policy"));
    if let Some(at) = at {
        problem = problem.and(at, "the momentum");
    }
    Err(one(problem))
}

/// A problem for each key outside the tables of entries that nobody reads.
fn unknown_keys(merged: &DeTable<'_>, tables: &Tables) -> Problems {
    let mut problems = Problems::new();
    let sections = sections(tables);
    let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
    for (key, value) in merged {
        let name: &str = key.get_ref();
        let Some((_, known)) = sections.iter().find(|(section, _)| *section == name) else {
            problems.push(unknown(name, name, &names, tables).at(key.span()));
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
    let homes: Vec<String> = sections(tables)
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

/// No number of a configuration is NaN or infinite, whoever reads it, nor too large for the f32 that
/// kernels read.
fn not_finite(merged: &DeTable<'_>, problems: &mut Problems) {
    fn walk(path: &str, value: &toml::Spanned<DeValue<'_>>, problems: &mut Problems) {
        match value.get_ref() {
            DeValue::Float(number) if !super::value::float(number).is_some_and(is_f32) => {
                let finite = super::value::float(number).is_some_and(f64::is_finite);
                let also = if finite {
                    ", also as an f32: at most 3.4e38"
                } else {
                    ""
                };
                let message = format!("{path} is {number}; expected a finite number{also}");
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
