//! Figures as people write them.

use crate::draw::chart::{count, number};

/// A share as percent: `98.42 %`.
pub fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.2} %", share * 100.0)
    } else {
        "-".into()
    }
}

/// A loss with four significant digits.
pub fn loss(value: f64) -> String {
    if !value.is_finite() {
        return "not finite".into();
    }
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        let whole = value.abs().log10().floor().max(0.0) as usize;
        return format!("{value:.*}", 4 - whole.min(4));
    }
    format!("{value:.2e}")
}

/// A number of any unit with four significant digits: `0.01235`, `12350`.
pub fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return number(value);
    }
    let unit = 10_f64.powi(3 - value.abs().log10().floor() as i32);
    match unit.is_finite() {
        true => number((value * unit).round() / unit),
        // As good as nothing.
        false => number(value),
    }
}

/// A time: `9.87 s`, `98.7 s`, `12 min 05 s`, `3 h 07 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".into();
    }
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 119.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 7200 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    let minutes = whole / 60;
    format!("{} h {:02} min", count(minutes / 60), minutes % 60)
}

/// A number of things: `1 step`, `3,752 steps`.
pub fn things(number: u64, thing: &str) -> String {
    let plural = match number {
        1 => "",
        _ if thing.ends_with("ss") => "es",
        _ => "s",
    };
    format!("{} {thing}{plural}", count(number))
}

/// So many steps in units of `of` steps: `2 epochs`, `1 cycle`, `1.5 cycles`.
pub fn lengths(steps: u64, of: u64, unit: &str) -> String {
    let units = steps as f64 / of.max(1) as f64;
    let units = (units * 100.0).round() / 100.0;
    let plural = if units == 1.0 { "" } else { "s" };
    format!("{} {unit}{plural}", number(units))
}

/// The samples of a step of `batches` batches: `128 samples`, `4 x 32 samples`.
pub fn batches_of(batches: usize, batch: usize) -> String {
    let batch = things(batch as u64, "sample");
    match batches {
        1 => batch,
        _ => format!("{} x {batch}", count(batches as u64)),
    }
}

/// A shape: `1 × 28 × 28` with `by` = ` × `.
pub fn shape(shape: &[usize], by: &str) -> String {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    sides.join(by)
}

/// A speed with three significant digits, whole from 100 on.
pub fn rate(value: f64) -> String {
    let whole = value.abs().max(1e-3).log10().floor() as i32;
    let decimals = (2 - whole).clamp(0, 5) as usize;
    number(format!("{value:.decimals$}").parse().unwrap_or(value))
}

/// An argument of a command as a shell reads it.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}

/// A text with its numbers at six significant digits: `constant at 0.19115` of 0.19115000000000001.
pub fn shortened(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_digit(c)).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let fraction = digits.trim_end_matches('.').contains('.');
        short.push_str(before);
        match digits.parse::<f64>() {
            Ok(value) if fraction && digits.len() > 8 => short.push_str(&number(value)),
            _ => short.push_str(digits),
        }
        rest = after;
    }
    short + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(percent(0.98425), "98.42 %");
        assert_eq!(percent(f64::NAN), "-");
        assert_eq!(
            [12345.6, 0.0123456, -58.296, 0.0].map(digits),
            ["12,350", "0.01235", "-58.3", "0"]
        );
        assert!(!digits(1e-320).contains("NaN"));
        for (long, short) in [
            ("constant at 0.19115000000000001", "constant at 0.19115"),
            (
                "swing times 0.7498942093324559 each step",
                "swing times 0.749894 each step",
            ),
            (
                "from 0.01 to 0.1, half cycle 12345678901 steps.",
                "from 0.01 to 0.1, half cycle 12345678901 steps.",
            ),
            ("é 1.5.2.33333333 and 0.", "é 1.5.2.33333333 and 0."),
        ] {
            assert_eq!(shortened(long), short);
        }
        assert_eq!(loss(0.012_345), "0.0123");
        assert_eq!(loss(2.512_349), "2.5123");
        assert_eq!(loss(123.456), "123.46");
        assert_eq!(loss(1.5e-7), "1.50e-7");
        assert_eq!(loss(f64::INFINITY), "not finite");
        assert_eq!(duration(0.5), "0.50 s");
        assert_eq!(duration(98.74), "98.7 s");
        assert_eq!(duration(725.0), "12 min 05 s");
        assert_eq!(duration(11_220.0), "3 h 07 min");
        assert_eq!(things(1, "step"), "1 step");
        assert_eq!(things(10, "class"), "10 classes");
        assert_eq!(things(3752, "step"), "3,752 steps");
        assert_eq!(lengths(200, 100, "epoch"), "2 epochs");
        assert_eq!(lengths(100, 100, "epoch"), "1 epoch");
        assert_eq!(lengths(150, 100, "cycle"), "1.5 cycles");
        assert_eq!(rate(163.42), "163");
        assert_eq!(rate(12_345.6), "12,346");
        assert_eq!(rate(0.123_45), "0.123");
        assert_eq!(shape(&[1, 28, 28], " × "), "1 × 28 × 28");
    }
}
