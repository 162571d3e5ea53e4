//! Batch normalisation of pictures.

use serde::{Deserialize, Serialize};

mod reference;
mod work;

use work::{GROUP, Work, flags};

use super::window::{keeps_pictures, picture};
use super::{
    Back, Entry, Fit, Forward, Fusion, Init, Invalid, Layer, Misfit, Multipliers, Node,
    ParameterSpec, Pass, Reference, ReferenceGradients, Site, StateKind, StateSpec, Storage,
};
use crate::args::is_f32;
use crate::error::{Error, Result};
use crate::kernel::{Builder, Mode, Value};
use crate::onnx::{Attribute, Graph};
use crate::shape::Shape;

/// y = (x - mean) / sqrt(variance + eps) w + b for each channel, as torch.nn.BatchNorm2d (Ioffe and
/// Szegedy, arXiv 1502.03167); num_features comes from the input.
///
/// In training, mean and (biased) variance are those of the batch over samples and pixels, and the
/// running statistics move: running = (1 - momentum) running + momentum batch, with the unbiased
/// variance. In evaluation the running statistics take their place. With S the pixels of the active
/// samples, dx = w / sqrt(variance + eps) (dy - mean of dy - xhat * mean of dy xhat) over S.
///
/// Variances of blocks are joined as in Chan, Golub and LeVeque, "Algorithms for computing the sample
/// variance" (1983): no sum of squares is subtracted from another, so a mean far from 0 costs nothing.
/// A relu behind the layer, and the gradient of one in front of it, are fused. The
/// shader is `shaders/layer/batch_norm2d.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNorm2d {
    /// Added to the variance.
    pub eps: f64,
    /// The share of the batch in the running statistics, in [0, 1].
    pub momentum: f64,
    /// Whether there are weight and bias at all.
    pub affine: bool,
    /// Whether the weight is trained; matters where `affine` is true. A weight that is not trained
    /// stays as it starts, and stays in files, where torch.nn.BatchNorm2d looks for it.
    pub weight: bool,
    /// Whether there is a bias; matters where `affine` is true.
    pub bias: bool,
    /// What the weight starts at.
    pub weight_init: f64,
    /// Multipliers of the learning rate.
    pub lr_mult: Multipliers,
    /// Multipliers of the weight decay.
    pub decay_mult: Multipliers,
}

impl Default for BatchNorm2d {
    fn default() -> Self {
        Self {
            eps: 1e-5,
            momentum: 0.1,
            affine: true,
            weight: true,
            bias: true,
            weight_init: 1.0,
            lr_mult: Multipliers::default(),
            decay_mult: Multipliers::default(),
        }
    }
}

impl BatchNorm2d {
    fn has_weight(&self) -> bool {
        self.affine
    }

    fn trains_weight(&self) -> bool {
        self.affine && self.weight
    }

    fn has_bias(&self) -> bool {
        self.affine && self.bias
    }

    fn parameters(&self, channels: usize) -> Vec<ParameterSpec> {
        let weight = ParameterSpec {
            name: "weight".into(),
            shape: vec![channels],
            init: Init::Constant(self.weight_init),
            fan_in: 1,
            fan_out: 1,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Rows,
            zero_row: None,
            tied: None,
        };
        let bias = ParameterSpec {
            name: "bias".into(),
            init: Init::Constant(0.0),
            lr_mult: self.lr_mult.bias,
            decay_mult: self.decay_mult.bias,
            ..weight.clone()
        };
        let weight = self.trains_weight().then_some(weight);
        weight
            .into_iter()
            .chain(self.has_bias().then_some(bias))
            .collect()
    }

    fn states(&self, len: usize) -> Vec<StateSpec> {
        let state = |name: &str, initial, kind| StateSpec {
            name: name.into(),
            len,
            initial,
            kind,
        };
        let mut states = vec![
            state("running_mean", 0.0, StateKind::Running),
            state("running_var", 1.0, StateKind::Running),
        ];
        if self.has_weight() && !self.trains_weight() {
            states.push(state("weight", self.weight_init as f32, StateKind::Fixed));
        }
        states
    }

    /// Appends the sums of dy and dy xhat: the gradients of bias and weight; gives their means.
    fn sums(
        &self,
        b: &mut Builder,
        at: &Site<'_>,
        back: &Back<'_>,
        (work, stats): (&Work, Value),
    ) -> Result<Value> {
        let partials = work.new_partials(b, "sums of blocks");
        let call = work
            .call(b, "sums of blocks", work.shares.blocks)?
            .value("x", back.x)
            .value("dy", back.dy)
            .value("stats", stats)
            .value("partials", partials);
        work.dispatch(b, "block_sums", call, [2, 4]);
        let sums = work.new_list(b, "means of dy and dy xhat", 2);
        let place = |b: &mut Builder, parameter: &str, name: &str| match at.find(parameter) {
            Some(parameter) => b.gradient(parameter),
            // What nobody trains is written all the same, to a place that nobody reads.
            None => work.new_list(b, name, 1).bound(),
        };
        let dw = place(b, "weight", "dw");
        let db = place(b, "bias", "db");
        let call = work
            .call(b, "weight gradient", GROUP)?
            .value("partials", partials)
            .value("new_sums", sums)
            .place("dw", dw)
            .place("db", db);
        work.dispatch(b, "combine_sums", call, [0, 0]);
        Ok(sums)
    }

    /// Refuses statistics of one value: its variance is 0, and the unbiased one 0 / 0.
    fn check_batch(&self, b: &Builder, at: &Site<'_>) -> Result<()> {
        let (least, path) = (at.node.fit.least_samples, &at.node.path);
        if b.batch() >= least {
            return Ok(());
        }
        let position = path.split('.').next().unwrap_or_default();
        Err(Error::Shape {
            position: position.parse().unwrap_or_default(),
            layer: self.name().into(),
            problem: format!(
                "at {path}, a batch of {} sample of the shape {} has one value for each channel; \
                 training needs the mean and variance of at least two",
                b.batch(),
                at.input()
            ),
            help: format!(
                "set data.batch to {least} or more, or normalise before pictures shrink to one pixel"
            ),
        })
    }
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "batch_norm2d",
    summary: "channels of mean 0 and deviation 1 over the batch, times w, plus b (torch.nn.BatchNorm2d)",
    arguments: &[
        "eps",
        "momentum",
        "affine",
        "weight",
        "bias",
        "weight_init",
        "lr_mult",
        "decay_mult",
    ],
    short: None,
    example: "momentum = 0.1",
    parse: |args| Ok(Box::new(args.read::<BatchNorm2d>()?)),
};

impl Layer for BatchNorm2d {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let wrong = |key, message| Err(Invalid { key, message });
        // As the shader sees it: 1e-50 is 0 there.
        let eps = self.eps as f32;
        if !eps.is_normal() || eps < 0.0 {
            let message = format!(
                "is {}, but what is added to a variance is a finite number above 0",
                self.eps
            );
            return wrong("eps", message);
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            let message = format!(
                "is {}, but the share of the batch in the running statistics lies in [0, 1]",
                self.momentum
            );
            return wrong("momentum", message);
        }
        if self.affine && !self.weight && !self.bias {
            let message = "is false, and so is bias: nothing is trained; write affine = false";
            return wrong("weight", message.into());
        }
        if !is_f32(self.weight_init) {
            let message = format!(
                "is {}, but a weight starts at a finite number",
                self.weight_init
            );
            return wrong("weight_init", message);
        }
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &Shape) -> String {
        let [channels, ..] = picture(input);
        let what = match (self.affine, self.weight, self.bias) {
            (false, _, _) => ", not affine",
            (true, false, _) => ", bias only",
            (true, true, false) => ", no bias",
            (true, true, true) => "",
        };
        format!("batch_norm2d({channels}{what})")
    }

    fn keep_statistics(&mut self) {
        self.momentum = 0.0;
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let [channels, height, width] = keeps_pictures(input)?;
        Ok(Fit {
            parameters: self.parameters(channels),
            states: self.states(channels),
            counters: vec!["num_batches_tracked"],
            least_samples: if height * width == 1 { 2 } else { 1 },
            fusion: Fusion::BOTH,
            ..Fit::new(*input)
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let work = Work::new(self, b, at, x, if at.relu() { flags::RELU } else { 0 })?;
        let y = b.like("y", x);
        let mean = at.state(b, "running_mean")?;
        let var = at.state(b, "running_var")?;
        let call = work
            .call(b, "forward", work.runs())?
            .value("x", x)
            .value("y", y)
            .place("w", work.weight.unwrap_or(mean))
            .place("b", work.bias.unwrap_or(mean));
        if b.mode() == Mode::Evaluate {
            let call = call.place("running_mean", mean).place("running_var", var);
            work.dispatch(b, "evaluate", call, [2, 4]);
            return Ok(y.into());
        }
        self.check_batch(b, at)?;
        let partials = work.new_partials(b, "moments of blocks");
        let blocks = work
            .call(b, "moments of blocks", work.shares.blocks)?
            .value("x", x)
            .value("partials", partials);
        work.dispatch(b, "block_moments", blocks, [1, 4]);
        let stats = work.new_list(b, "mean and deviation", 2);
        let combine = work
            .call(b, "mean and deviation", GROUP)?
            .value("partials", partials)
            .value("new_stats", stats)
            .place("new_running_mean", mean)
            .place("new_running_var", var)
            .in_place("new_running_mean")
            .in_place("new_running_var");
        work.dispatch(b, "combine_moments", combine, [0, 0]);
        work.dispatch(b, "normalize", call.value("stats", stats), [2, 4]);
        Ok(Forward {
            saved: vec![stats],
            ..Forward::from(y)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        if !back.wants_dx && at.node.parameters.is_empty() {
            return Ok(None);
        }
        let &[stats] = back.saved else {
            return Err(at.defect("has no forward pass in front of its backward pass"));
        };
        let gate = if back.gate { flags::GATE } else { 0 };
        let work = Work::new(self, b, at, back.x, gate)?;
        let sums = self.sums(b, at, back, (&work, stats))?;
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let call = work
            .call(b, "input gradient", work.runs())?
            .value("x", back.x)
            .value("dy", back.dy)
            .value("dx", dx)
            .value("stats", stats)
            .value("sums", sums)
            .place("w", work.weight.unwrap_or(stats.bound()));
        work.dispatch(b, "backward", call, [3, 7]);
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let [channels, ..] = picture(&at.input);
        let mut or = |has: bool, name: &str, value: f32| match has {
            true => at.tensor(name),
            false => g.floats(&at.named(name), &[channels], &vec![value; channels]),
        };
        let weight = or(self.has_weight(), "weight", 1.0);
        let bias = or(self.has_bias(), "bias", 0.0);
        let (mean, var) = (at.tensor("running_mean"), at.tensor("running_var"));
        let eps = ("epsilon", Attribute::Float(self.eps));
        let inputs = [x, &weight, &bias, &mean, &var];
        Ok(g.node(&at.path, "BatchNormalization", &inputs, &[eps]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for BatchNorm2d {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        reference::forward(self, pass)
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        reference::backward(self, pass, dy)
    }
}
