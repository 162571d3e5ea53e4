//! The library speaks of keys and things; here its words get the flags that stand for them.

/// Words of the library's advice, and the flag behind them.
const FLAGS: [(&str, &str); 8] = [
    ("set data.dir", "--data DIR"),
    ("another output folder", "--out DIR"),
    ("overwrite the files of a run", "--force"),
    ("another server", "--from URL"),
    ("another folder", "--to DIR"),
    ("another adapter", "--adapter NAME-PART"),
    ("portable limits", "--limits portable"),
    ("a run starts from", "--init FILE"),
];

/// The advice at the end of `message` with the flags in brackets.
pub(super) fn named(message: &str) -> String {
    let Some((before, help)) = message.split_once("\nhelp: ") else {
        return message.to_owned();
    };
    let mut help = help.to_owned();
    for (words, flag) in FLAGS {
        help = help.replacen(words, &format!("{words} ({flag})"), 1);
    }
    format!("{before}\nhelp: {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_flag() {
        let named = named("runs/a: is a file, like data.dir\nhelp: choose another output folder");
        let expected =
            "runs/a: is a file, like data.dir\nhelp: choose another output folder (--out DIR)";
        assert_eq!(named, expected);
        assert_eq!(super::named("another server"), "another server");
    }
}
