//! Batch normalisation of pictures.

use serde::{Deserialize, Serialize};

mod reference;
mod work;

use work::{GROUP, Work, flags};

use super::{
    Back, Init, Invalid, Layer, Misfit, Multipliers, ParameterSpec, Reference, ReferenceGradients,
    Site, StateSpec, Storage,
};
use crate::error::{Error, Result};
use crate::kernel::{Builder, Mode, Value};
use crate::onnx::{Attribute, Graph, Place};

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
/// A relu behind the layer, and the gradient of one in front of it, are applied in passing. The
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

    /// Appends the sums of dy and dy xhat: the gradients of bias and weight; gives their means.
    fn sums(
        &self,
        b: &mut Builder,
        site: &Site<'_>,
        back: &Back,
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
        let mut parameters = site.parameters.iter();
        let mut place = |b: &mut Builder, trained: bool, name: &str| {
            let parameter = if trained { parameters.next() } else { None };
            match parameter {
                Some(parameter) => b.gradient(*parameter),
                // What nobody trains is written all the same, to a place that nobody reads.
                None => work.new_list(b, name, 1).bound(),
            }
        };
        let dw = place(b, self.trains_weight(), "dw");
        let db = place(b, self.has_bias(), "db");
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
    fn check_batch(&self, b: &Builder, site: &Site<'_>) -> Result<()> {
        let least = self.least_samples(site.input);
        if b.batch() >= least {
            return Ok(());
        }
        let position = site.path.split('.').next().unwrap_or_default();
        Err(Error::Shape {
            position: position.parse().unwrap_or_default(),
            layer: self.name().into(),
            problem: format!(
                "at {}, a batch of {} sample of the shape {:?} has one value for each channel; \
                 training needs the mean and variance of at least two",
                site.path,
                b.batch(),
                site.input
            ),
            help: format!(
                "set data.batch to {least} or more, or normalise before pictures shrink to one pixel"
            ),
        })
    }
}

impl Layer for BatchNorm2d {
    fn name(&self) -> &'static str {
        "batch_norm2d"
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
        if !self.weight_init.is_finite() {
            let message = format!(
                "is {}, but a weight starts at a finite number",
                self.weight_init
            );
            return wrong("weight_init", message);
        }
        self.lr_mult.validate("lr_mult")?;
        self.decay_mult.validate("decay_mult")
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        match input {
            [_, _, _] => Ok(input.to_vec()),
            _ => Err(Misfit {
                problem: format!(
                    "takes pictures [channels, height, width], but its input has the shape {input:?}"
                ),
                help: "put it behind a layer that gives pictures, such as conv2d".into(),
            }),
        }
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, input: &[usize]) -> String {
        let channels = input.first().copied().unwrap_or_default();
        let what = match (self.affine, self.weight, self.bias) {
            (false, _, _) => ", not affine",
            (true, false, _) => ", bias only",
            (true, true, false) => ", no bias",
            (true, true, true) => "",
        };
        format!("batch_norm2d({channels}{what})")
    }

    fn parameters(&self, input: &[usize]) -> Vec<ParameterSpec> {
        let channels = input.first().copied().unwrap_or_default();
        let weight = ParameterSpec {
            name: "weight".into(),
            shape: vec![channels],
            init: Init::Constant(self.weight_init),
            fan_in: 1,
            fan_out: 1,
            lr_mult: self.lr_mult.weight,
            decay_mult: self.decay_mult.weight,
            storage: Storage::Rows,
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

    fn states(&self, input: &[usize]) -> Vec<StateSpec> {
        let len = input.first().copied().unwrap_or_default();
        let state = |name: &str, initial| StateSpec {
            name: name.into(),
            len,
            initial,
        };
        let mut states = vec![state("running_mean", 0.0), state("running_var", 1.0)];
        if self.has_weight() && !self.trains_weight() {
            states.push(state("weight", self.weight_init as f32));
        }
        states
    }

    fn least_samples(&self, input: &[usize]) -> usize {
        match input {
            [_, 1, 1] => 2,
            _ => 1,
        }
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn gates_input(&self, _: &Value) -> bool {
        true
    }

    fn forward(&self, b: &mut Builder, site: &Site<'_>, x: Value, relu: bool) -> Result<Value> {
        let work = Work::new(self, b, site, x, if relu { flags::RELU } else { 0 })?;
        let y = b.like("y", x);
        let mean = work.state(b, site, "running_mean");
        let var = work.state(b, site, "running_var");
        let call = work
            .call(b, "forward", work.runs())?
            .value("x", x)
            .value("y", y)
            .place("w", work.weight.unwrap_or(mean))
            .place("b", work.bias.unwrap_or(mean));
        if b.mode() == Mode::Evaluate {
            let call = call.place("running_mean", mean).place("running_var", var);
            work.dispatch(b, "evaluate", call, [2, 4]);
            return Ok(y);
        }
        self.check_batch(b, site)?;
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
            .place("new_running_var", var);
        work.dispatch(b, "combine_moments", combine, [0, 0]);
        work.dispatch(b, "normalize", call.value("stats", stats), [2, 4]);
        b.remember(&site.path, &[vec![stats]]);
        Ok(y)
    }

    fn backward(&self, b: &mut Builder, site: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        if !back.wants_dx && site.parameters.is_empty() {
            return Ok(None);
        }
        let remembered = b.recall(&site.path);
        let Some(stats) = remembered
            .first()
            .and_then(|values| values.first().copied())
        else {
            let path = &site.path;
            let problem = format!("layer {path} has no forward pass in front of its backward pass");
            return Err(work::defect(problem));
        };
        let gate = if back.gate { flags::GATE } else { 0 };
        let work = Work::new(self, b, site, back.x, gate)?;
        let sums = self.sums(b, site, back, (&work, stats))?;
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

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let channels = at.input[0];
        let mut or = |has: bool, name: &str, value: f32| match has {
            true => at.named(name),
            false => g.floats(&at.named(name), &[channels], &vec![value; channels]),
        };
        let weight = or(self.has_weight(), "weight", 1.0);
        let bias = or(self.has_bias(), "bias", 0.0);
        let (mean, var) = (at.named("running_mean"), at.named("running_var"));
        let eps = ("epsilon", Attribute::Float(self.eps));
        let inputs = [x, &weight, &bias, &mean, &var];
        Ok(g.node(at.path, "BatchNormalization", &inputs, &[eps]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        reference::forward(self, pass)
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        reference::backward(self, pass, dy)
    }
}
