//! Tables in CSV files.

use super::{load_noted, refused, says};
use std::fs;
use std::path::Path;
use wavetrain::args::Args;
use wavetrain::data::{Dataset, Normalization, Normalize, Targets, Task};
use wavetrain::source::{Request, Source, source};

pub(crate) fn csv(arguments: &str) -> Box<dyn Source> {
    let entry = source("csv").expect("a source of that name");
    (entry.parse)(Args::parse(arguments).unwrap()).unwrap()
}

fn request(path: &Path) -> Request {
    Request {
        dir: Some(path.into()),
        seed: 3,
        ..Request::default()
    }
}

/// Loads one file.
fn loaded(arguments: &str, text: &str) -> Dataset {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    load_noted(&*csv(arguments), &request(file.path()))
        .unwrap()
        .0
}

/// What is said about a file that is refused.
fn mistake(arguments: &str, text: &str, parts: &[&str]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    says(&refused(&*csv(arguments), &request(file.path())), parts);
}

/// Ten rows: x, a text, and what follows from both.
fn rows() -> String {
    let row = |i: usize| {
        let (letter, kind) = (["a", "b", "c"][i % 3], ["no", "yes"][i % 2]);
        format!("{i},{},{letter},{kind},{}\n", i as f64 / 4.0, 10 * i)
    };
    let rows: String = (0..10).map(row).collect();
    format!("id,x,letter,kind,price\n{rows}")
}

#[test]
fn a_target_of_texts_gives_classes_and_texts_become_features() {
    let set = loaded("target = \"kind\"\ndrop = \"id\"", &rows());
    assert_eq!(set.task, Task::Classes(vec!["no".into(), "yes".into()]));
    let table = set.table.as_ref().unwrap();
    assert_eq!(
        table.features(),
        ["x", "letter = a", "letter = b", "letter = c", "price"]
    );
    assert_eq!((set.train.len(), set.test.len()), (8, 2));
    // A fifth of each class.
    let mut tested = set.test.labels().to_vec();
    tested.sort_unstable();
    assert_eq!(tested, [0, 1]);
    let all: Vec<u32> = (0..8).collect();
    for (row, class) in set
        .train
        .values(&all)
        .unwrap()
        .chunks(5)
        .zip(set.train.labels())
    {
        let i = (row[0] * 4.0) as u32;
        assert_eq!(row[4], (10 * i) as f32);
        assert_eq!(row[1 + i as usize % 3], 1.0);
        assert_eq!(row[1..4].iter().sum::<f32>(), 1.0);
        assert_eq!(*class, i % 2);
    }
}

#[test]
fn numbers_are_predicted_as_numbers_or_as_classes() {
    let text = rows();
    let set = loaded("target = \"price\"", &text);
    assert_eq!(set.task, Task::Numbers(vec!["price".into()]));
    let Targets::Numbers { width: 1, values } = set.test.targets() else {
        panic!("{:?}", set.test.targets());
    };
    assert!(values.iter().all(|price| price % 10.0 == 0.0), "{values:?}");
    // By their size, not as texts.
    let ids = "x,y\n1,10\n2,9\n3,10\n4,9\n5,10\n6,9\n";
    let set = loaded(
        "target = \"y\"\ntask = \"classification\"\ntest_share = 0.4",
        ids,
    );
    assert_eq!(set.task.names(), ["9", "10"]);
    let set = loaded("target = [\"price\", \"x\"]", &text);
    assert_eq!(set.train.targets().width(), 2);
}

#[test]
fn numbers_are_normalised_and_flags_are_not() {
    let set = loaded("target = \"kind\"\ndrop = \"id\"", &rows());
    let all: Vec<u32> = (0..set.train.len() as u32).collect();
    let usual = Normalization::new(Normalize::Unit, &set.train, &all).unwrap();
    assert_eq!(
        usual,
        Normalization::new(Normalize::Standard, &set.train, &all).unwrap()
    );
    assert_eq!(
        (&usual.mean[1..4], &usual.scale[1..4]),
        (&[0.0; 3][..], &[1.0; 3][..])
    );
    let prices: Vec<f32> = all
        .iter()
        .map(|i| usual.input(&set.train, *i).unwrap()[4])
        .collect();
    assert!(prices.iter().sum::<f32>().abs() < 1e-5, "{prices:?}");
    assert!((prices.iter().map(|p| p * p).sum::<f32>() / 8.0 - 1.0).abs() < 1e-5);
}

/// A share of the rows is still a table, which is normalised as one.
#[test]
fn a_subset_of_a_table_is_a_table() {
    let set = loaded("target = \"kind\"\ndrop = \"id\"", &rows());
    let some = set.subset(0.5, 1).unwrap();
    assert_eq!(some.train.len(), 4);
    assert!(some.table.is_some());
    let all: Vec<u32> = (0..4).collect();
    let usual = Normalization::new(Normalize::Unit, &some.train, &all).unwrap();
    assert_eq!(
        usual,
        Normalization::new(Normalize::Standard, &some.train, &all).unwrap()
    );
    assert_eq!(usual.scale[1..4], [1.0; 3]);
    assert_ne!(usual.scale[4], 1.0);
}

#[test]
fn the_mean_of_the_training_part_stands_for_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("train.csv", "x,s,y\n1,a,0\nNA,b,1\n3,?,2\n8,a,3\n");
    write("test.csv", "x,s,y\n,a,5\n100,b,6\n");
    let open = |arguments: &str| load_noted(&*csv(arguments), &request(folder.path()));
    let set = open("target = \"y\"\nmissing = \"mean\"").unwrap().0;
    assert_eq!(
        set.table.as_ref().unwrap().features(),
        ["x", "x is missing", "s = a", "s = b", "s is missing"]
    );
    assert_eq!(
        set.train.values(&[1, 2]).unwrap(),
        [4.0, 1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0]
    );
    assert_eq!(set.test.values(&[0]).unwrap(), [4.0, 1.0, 1.0, 0.0, 0.0]);
    let refused = refused(&*csv("target = \"y\""), &request(folder.path()));
    says(
        &refused,
        &[
            "train.csv",
            "line 3, column 1 (x): \"NA\"",
            "data.missing = \"mean\"",
        ],
    );
    write("test.csv", "x,y,s\n1,2,a\n");
    assert!(
        open("target = \"y\"\nmissing = \"mean\"")
            .unwrap_err()
            .to_string()
            .contains("expected x, s, y")
    );
    fs::remove_file(folder.path().join("test.csv")).unwrap();
    assert!(
        open("target = \"y\"\nmissing = \"mean\"")
            .unwrap_err()
            .to_string()
            .contains("without test.csv")
    );
}

#[test]
fn what_makes_no_table_is_told_with_its_place() {
    let many: String = (0..70).map(|i| format!("name{i},{i}\n")).collect();
    let cases: [(&str, &str, &[&str]); 12] = [
        ("", "a,b\n1,2\n", &["data.target: not given", "a, b"]),
        (
            "target = \"prise\"",
            "x,price\n1,2\n",
            &["which is no column", "did you mean \"price\"?"],
        ),
        (
            "target = \"y\"\ndrop = \"z\"",
            "x,y\n1,2\n",
            &["data.drop", "\"z\""],
        ),
        (
            "target = \"y\"\ndrop = \"x\"",
            "x,y\n1,2\n",
            &["no column besides"],
        ),
        ("target = \"y\"", "x,y\n", &["no rows"]),
        (
            "target = \"y\"",
            "x,y\n1,2\n1,3\n",
            &["the column x is \"1\" in every row"],
        ),
        (
            "target = \"y\"",
            "x,y\n1,2\n2,\n",
            &["line 3, column 2 (y)", "a value to predict"],
        ),
        (
            "target = \"y\"\ntask = \"regression\"",
            "x,y\n1,2\n2,b\n",
            &["line 3, column 2 (y): \"b\"", "a number"],
        ),
        (
            "target = \"y\"",
            "x,y\n1,2\ninf,3\n",
            &["line 3, column 1 (x): \"inf\"", "finite"],
        ),
        (
            "target = \"y\"\ntask = \"classification\"",
            "x,y\n1,2\n2,2\n",
            &["one value only"],
        ),
        (
            "target = \"y\"",
            &format!("x,y\n{many}"),
            &["more than 64 different texts", "\"name0\" on line 2"],
        ),
        (
            "target = [\"x\", \"y\"]\ntask = \"classification\"",
            "x,y,z\n1,2,3\n3,4,4\n",
            &["data.task", "one column"],
        ),
    ];
    for (arguments, text, parts) in cases {
        mistake(arguments, text, parts);
    }
}

#[test]
fn a_split_depends_on_the_seed_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), rows()).unwrap();
    let with = |seed: u64| {
        let request = Request {
            seed,
            ..request(file.path())
        };
        load_noted(&*csv("target = \"price\""), &request).unwrap().0
    };
    assert_eq!(with(1), with(1));
    assert!((2..6).any(|seed| with(seed).test != with(1).test));
}

#[test]
fn lines_are_counted_however_they_end() {
    for end in ["\n", "\r\n", "\r"] {
        let row = |i: usize| format!("{i},{}{end}", i % 3);
        let rows: String = (0..30).map(row).collect();
        let wrong = |at: usize, by: &str| {
            let rows = rows.replace(&format!("{at},{}{end}", at % 3), &format!("{by}{end}"));
            format!("x,y{end}{rows}")
        };
        // The row of 7 is on line 9; the first one on line 2.
        mistake("target = \"y\"", &wrong(7, ",1"), &["line 9, column 1 (x)"]);
        mistake("target = \"y\"", &wrong(0, ",1"), &["line 2, column 1 (x)"]);
        mistake("target = \"y\"", &wrong(7, "7"), &["line 9 has 1 field"]);
        mistake(
            "target = \"y\"",
            &wrong(29, "29,\"1"),
            &["line 31: a quote opens"],
        );
    }
}

#[test]
fn numbers_that_floats_do_not_tell_apart_are_refused() {
    let text = |offset: f64| {
        let row = |i: usize| format!("{},{},{}\n", offset + i as f64, i % 7, ["a", "b"][i % 2]);
        format!("t,x,kind\n{}", (0..50).map(row).collect::<String>())
    };
    let parts = [
        "the column t has numbers from 1700000000 to 1700000049",
        "subtract one number",
    ];
    mistake("target = \"kind\"", &text(1.7e9), &parts);
    mistake("target = \"t\"\ndrop = \"kind\"", &text(1.7e9), &parts);
    loaded("target = \"kind\"", &text(0.0));
    // Years of seconds are told apart well enough.
    let years = text(0.0).replace(",0,", "0000000,0,");
    loaded("target = \"kind\"", &years);
    // The same number wherever there is one says whether there is one.
    let once = |i: usize| format!("{},{}\n", ["0.1", "NA"][i % 2], ["a", "b"][i % 3 % 2]);
    let once = format!("t,kind\n{}", (0..50).map(once).collect::<String>());
    loaded("target = \"kind\"\nmissing = \"mean\"", &once);
}

#[test]
fn texts_among_numbers_and_numbers_in_another_writing_are_said() {
    let noted = |fields: &[&str]| {
        let row = |i: usize| format!("{};{}\n", fields[i % fields.len()], ["a", "b"][i % 2]);
        let text = format!("age;kind\n{}", (0..42).map(row).collect::<String>());
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let source = csv("target = \"kind\"");
        load_noted(&*source, &request(file.path())).unwrap().1
    };
    let notes = noted(&["31", "44", "unknown"]);
    says(
        &notes.concat(),
        &[
            "the column age becomes 3 features",
            "line 4 has \"unknown\"; 28 of 42 fields are numbers",
        ],
    );
    for writing in [["1,5", "2,25"], ["5 %", "7 %"], ["$1,000", "$2,500"]] {
        says(
            &noted(&writing).concat(),
            &["look like numbers in another writing"],
        );
    }
    for texts in [["red", "blue"], ["A1", "B2"], ["1", "2"]] {
        assert!(noted(&texts).is_empty(), "{texts:?}");
    }
    // As a target: a slip among numbers, and what no float holds.
    let target = |field: &str| {
        let row = |i: usize| format!("{},{i}\n", i % 5);
        let rows: String = (0..30).map(row).collect();
        format!("x,y\n{rows}3,{field}\n")
    };
    mistake(
        "target = \"y\"",
        &target("oops"),
        &["line 32, column 2 (y): \"oops\""],
    );
    mistake(
        "target = \"y\"",
        &target("inf"),
        &["line 32", "correct or drop the row"],
    );
    mistake(
        "target = \"y\"",
        &target("None"),
        &["line 32", "a value to predict"],
    );
    mistake(
        "target = [\"y\", \"y\"]",
        &target("1"),
        &["data.target: \"y\" twice"],
    );
    mistake(
        "target = \"y\"\ndrop = \"y\"",
        &target("1"),
        &["data.drop: \"y\""],
    );
    mistake("target = \"Y\"", &target("1"), &["did you mean \"y\"?"]);
}

#[test]
fn a_column_without_a_name_is_left_out_and_said() {
    let row = |i: usize| format!("{},{},{}\n", 97 * i % 50, i % 7, ["a", "b"][i % 2]);
    let text = format!(",x,kind\n{}", (0..50).map(row).collect::<String>());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &text).unwrap();
    let noted = |arguments: &str| load_noted(&*csv(arguments), &request(file.path())).unwrap();
    let (set, notes) = noted("target = \"kind\"");
    assert_eq!(set.train.shape(), [1]);
    says(&notes.concat(), &["column 1 has no name and is left out"]);
    let (set, notes) = noted("target = \"kind\"\ndrop = \"\"");
    assert_eq!((set.train.shape(), notes.len()), (&[1][..], 0));
    mistake(
        "target = \"kind\"",
        &text.replace(",x,", ",,"),
        &["line 1: columns 1 and 2 have no name"],
    );
}
