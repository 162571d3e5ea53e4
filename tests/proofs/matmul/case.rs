//! A product's operands and what must come out of it.

use wavetrain::kernel::matrix::stride;
use wavetrain::product::matmul::{Form, flags};

/// What C and its surroundings hold where nothing may be written.
pub(crate) const UNTOUCHED: f32 = 7.0;

/// Numbers in [-1, 1) (a linear congruential generator: Knuth, MMIX).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }
}

/// A matrix in storage: rows padded with zeros to a multiple of 4, then NaN.
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) stride: usize,
    pub(crate) data: Vec<f32>,
}

impl Matrix {
    fn new(rows: u32, columns: u32, numbers: &mut Numbers) -> Self {
        let (rows, columns) = (rows as usize, columns as usize);
        let stride = stride(columns);
        let padded = rows.next_multiple_of(4);
        let mut data = vec![f32::NAN; (padded + 8) * stride];
        for (y, row) in data.chunks_mut(stride).take(padded).enumerate() {
            for (x, value) in row.iter_mut().take(columns.next_multiple_of(4)).enumerate() {
                *value = if y < rows && x < columns {
                    numbers.next()
                } else {
                    0.0
                };
            }
        }
        Self {
            rows: padded,
            stride,
            data,
        }
    }

    fn at(&self, y: usize, x: usize) -> f64 {
        f64::from(self.data[y * self.stride + x])
    }
}

/// A product's operands and what C, db, bias or gate hold before it.
pub(crate) struct Case {
    form: Form,
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) a: Matrix,
    pub(crate) b: Matrix,
    pub(crate) c: Vec<f32>,
    pub(crate) extra: Vec<f32>,
}

impl Case {
    pub(crate) fn new(form: Form, [m, n, k]: [u32; 3]) -> Self {
        let numbers = &mut Numbers(u64::from(m * 7919 + n * 31 + k));
        let (a, b) = match form {
            Form::Nt => ([m, k], [n, k]),
            Form::Nn => ([m, k], [k, n]),
            Form::Tn => ([k, m], [k, n]),
        };
        let (a, b) = (
            Matrix::new(a[0], a[1], numbers),
            Matrix::new(b[0], b[1], numbers),
        );
        let (m, n, k) = (m as usize, n as usize, k as usize);
        let row = stride(n);
        let c = (0..(m.next_multiple_of(4) + 4) * row)
            .map(|i| match (i / row < m, i % row) {
                (true, x) if x < n => numbers.next(),
                (true, x) if x < n.next_multiple_of(4) => 0.0,
                _ => UNTOUCHED,
            })
            .collect();
        let extra = match form {
            Form::Nt => (0..n.next_multiple_of(4)).map(|_| numbers.next()).collect(),
            Form::Nn => (0..m.next_multiple_of(4) * row)
                .map(|_| numbers.next().max(0.0))
                .collect(),
            Form::Tn => (0..m.next_multiple_of(4))
                .map(|i| if i < m { numbers.next() } else { 0.0 })
                .collect(),
        };
        Self {
            form,
            m,
            n,
            k,
            a,
            b,
            c,
            extra,
        }
    }

    /// The pair that is multiplied for `C[y][x]` at `t`.
    fn pair(&self, y: usize, x: usize, t: usize) -> (f64, f64) {
        match self.form {
            Form::Nt => (self.a.at(y, t), self.b.at(x, t)),
            Form::Nn => (self.a.at(y, t), self.b.at(t, x)),
            Form::Tn => (self.a.at(t, y), self.b.at(t, x)),
        }
    }

    /// `C[y][x]` with these flags, and how far rounding may take it.
    fn expected(&self, y: usize, x: usize, bits: u32) -> (f64, f64) {
        let at = y * stride(self.n) + x;
        let (mut sum, mut size) = (0.0, 0.0);
        for t in 0..self.k {
            let (a, b) = self.pair(y, x, t);
            sum += a * b;
            size += (a * b).abs();
        }
        let mut add = |value: f32| {
            sum += f64::from(value);
            size += f64::from(value.abs());
        };
        if bits & flags::ADD != 0 {
            add(self.c[at]);
        }
        if bits & flags::BIAS != 0 {
            add(self.extra[x]);
        }
        let zero = (bits & flags::RELU != 0 && sum < 0.0)
            || (bits & flags::GATE != 0 && self.extra[at] <= 0.0);
        let bound = 4.0 * ((self.k + 2) as f64).sqrt() * 2f64.powi(-24) * size;
        (if zero { 0.0 } else { sum }, bound)
    }

    /// `db[y]` with these flags, and how far rounding may take it.
    fn expected_db(&self, y: usize, bits: u32) -> (f64, f64) {
        let before = f64::from(self.extra[y]);
        if bits & flags::DB == 0 {
            return (before, 0.0);
        }
        let (mut sum, mut size) = if bits & flags::ADD == 0 {
            (0.0, 0.0)
        } else {
            (before, before.abs())
        };
        for t in 0..self.k {
            sum += self.a.at(t, y);
            size += self.a.at(t, y).abs();
        }
        (
            sum,
            4.0 * ((self.k + 1) as f64).sqrt() * 2f64.powi(-24) * size,
        )
    }

    /// The first mistake in what a kernel left in `c` and `extra`.
    pub(crate) fn mistake(&self, bits: u32, c: &[f32], extra: &[f32]) -> Option<String> {
        let row = stride(self.n);
        for (i, &got) in c.iter().enumerate() {
            let (y, x) = (i / row, i % row);
            let inside = y < self.m && x < self.n.next_multiple_of(4);
            let (want, bound) = match inside {
                true if x < self.n => self.expected(y, x, bits),
                true => (0.0, 0.0),
                false => (f64::from(UNTOUCHED), 0.0),
            };
            if !within(got, want, bound) {
                return Some(format!(
                    "c[{y}][{x}] is {got}, expected {want} +- {bound:e}"
                ));
            }
        }
        if self.form == Form::Tn {
            for (y, &got) in extra.iter().enumerate() {
                let (want, bound) = if y < self.m {
                    self.expected_db(y, bits)
                } else {
                    (0.0, 0.0)
                };
                if !within(got, want, bound) {
                    return Some(format!("db[{y}] is {got}, expected {want} +- {bound:e}"));
                }
            }
        }
        None
    }
}

/// Whether a value is right; NaN never is.
fn within(got: f32, want: f64, bound: f64) -> bool {
    (f64::from(got) - want).abs() <= bound
}
