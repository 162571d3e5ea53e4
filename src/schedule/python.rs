//! A schedule as Python: a few lines to paste into a loop of PyTorch or Keras.
//!
//! Where PyTorch has a scheduler with the same values, that one is written; elsewhere, and for Keras,
//! the closed form as a function of the step.

use super::{Invalid, Policy};

/// What the code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    /// A scheduler of `torch.optim.lr_scheduler`.
    Torch,
    /// A `keras.optimizers.schedules.LearningRateSchedule`.
    Keras,
}

/// A policy that can be written in Python (see [`Policy::python`]).
pub trait InPython {
    /// The closed form; `None` where there is none.
    fn formula(&self, code: &mut Python) -> Option<Formula>;
    /// PyTorch's scheduler with the same values in the first `steps` steps, where it has one.
    fn scheduler(&self, _steps: u64) -> Option<Scheduler> {
        None
    }
}

/// A policy's closed form: Python expressions in the whole step `t`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Formula {
    /// Assignments that the expressions use, a line each.
    pub before: Vec<String>,
    /// The learning rate.
    pub rate: String,
    /// The momentum, where the policy cycles it.
    pub momentum: Option<String>,
}

impl Formula {
    /// One expression, the optimizer's own momentum.
    #[must_use]
    pub fn new(rate: String) -> Self {
        Self {
            rate,
            ..Self::default()
        }
    }
}

/// PyTorch's own scheduler of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheduler {
    /// The rate that the optimizer has before the scheduler is made.
    pub lr: f64,
    /// The class in `torch.optim.lr_scheduler` with its arguments, without the optimizer:
    /// `StepLR(step_size=500, gamma=0.1)`.
    pub call: String,
    /// Whether it is told the loss of each evaluation, and not stepped at each batch.
    pub evaluated: bool,
}

impl Scheduler {
    /// A scheduler that is stepped at each batch.
    #[must_use]
    pub fn new(lr: f64, call: String) -> Self {
        Self {
            lr,
            call,
            evaluated: false,
        }
    }
}

/// Python functions that are being written.
#[derive(Debug)]
pub struct Python {
    steps: u64,
    momentum: Option<f64>,
    functions: String,
    members: usize,
}

/// Functions of a policy that is part of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The function of the rate.
    pub rate: String,
    /// That of the momentum, where it is cycled.
    pub momentum: Option<String>,
}

impl Python {
    /// Steps of the run: what the code gives afterwards does not matter.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The optimizer's own momentum, as Python.
    #[must_use]
    pub fn own_momentum(&self) -> String {
        self.momentum.map_or("None".to_owned(), float)
    }

    /// Writes the functions of a policy within another.
    pub fn member(&mut self, policy: &dyn Policy) -> Option<Names> {
        let formula = policy.python()?.formula(self)?;
        self.members += 1;
        let suffix = format!("_{}", self.members);
        Some(self.define(&formula, &suffix))
    }

    fn define(&mut self, formula: &Formula, suffix: &str) -> Names {
        let rate = format!("rate{suffix}");
        self.function(&rate, &formula.before, &formula.rate);
        let momentum = formula.momentum.as_ref().map(|momentum| {
            let name = format!("momentum{suffix}");
            self.function(&name, &formula.before, momentum);
            name
        });
        Names { rate, momentum }
    }

    fn function(&mut self, name: &str, before: &[String], result: &str) {
        self.functions += &format!("def {name}(t):\n");
        for line in before {
            self.functions += &format!("    {line}\n");
        }
        self.functions += &format!("    return {result}\n\n\n");
    }
}

/// A number as a Python float.
pub(super) fn float(number: f64) -> String {
    format!("{number:?}")
}

/// `True` or `False`.
pub(super) fn boolean(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Whole numbers as a Python list.
pub(super) fn list(numbers: &[u64]) -> String {
    format!("{numbers:?}")
}

/// The code that gives `policy`'s rates in the first `steps` steps of a run, to be pasted where
/// `optimizer` (PyTorch) or its argument `learning_rate` (Keras) is made; `momentum` is the
/// optimizer's own.
///
/// # Errors
/// Policies that have no closed form, such as closures, or whose rates follow from evaluations.
pub fn code(
    policy: &dyn Policy,
    momentum: Option<f64>,
    steps: u64,
    framework: Framework,
) -> Result<String, Invalid> {
    let about = format!(
        "# {}.\n# {steps} steps; a step is one update of the optimizer.\n",
        policy.describe()
    );
    if framework == Framework::Torch
        && let Some(scheduler) = policy.python().and_then(|python| python.scheduler(steps))
    {
        return Ok(about + &native(&scheduler));
    }
    let mut python = Python {
        steps,
        momentum,
        functions: String::new(),
        members: 0,
    };
    let own = policy.python();
    let formula = own.and_then(|own| own.formula(&mut python));
    let mut formula = formula.ok_or_else(|| no_form(policy))?;
    let cycles_momentum = formula.momentum.is_some();
    if framework == Framework::Keras {
        formula.momentum = None;
    }
    python.define(&formula, "");
    let functions = &python.functions;
    let imports: String = ["bisect", "math"]
        .into_iter()
        .filter(|module| functions.contains(&format!("{module}.")))
        .map(|module| format!("import {module}\n"))
        .collect();
    let gap = if imports.is_empty() { "" } else { "\n" };
    let (library, rest) = match framework {
        Framework::Torch => ("torch", lambda(cycles_momentum)),
        Framework::Keras => ("keras", table(steps, cycles_momentum)),
    };
    Ok(format!(
        "{about}{imports}{gap}import {library}\n\n\n{functions}{rest}"
    ))
}

fn no_form(policy: &dyn Policy) -> Invalid {
    let why = if policy.reads_evaluations() {
        "whose rates follow from evaluations"
    } else {
        "which has no closed form here"
    };
    Invalid {
        key: "policy",
        message: format!(
            "is {}, {why}; expected one whose rate is a formula of the step",
            policy.name()
        ),
    }
}

fn native(scheduler: &Scheduler) -> String {
    let lr = float(scheduler.lr);
    let (name, arguments) = scheduler.call.split_once('(').unwrap_or_default();
    let comma = if arguments == ")" { "" } else { ", " };
    let when = if scheduler.evaluated {
        "# After each evaluation:\n#     scheduler.step(loss)  # that of the validation samples\n"
    } else {
        "# In the loop, for each batch:\n#     optimizer.step()\n#     scheduler.step()\n"
    };
    format!(
        "import torch\n\nfor group in optimizer.param_groups:\n    group[\"lr\"] = {lr}\nscheduler = \
         torch.optim.lr_scheduler.{name}(optimizer{comma}{arguments}\n\n{when}"
    )
}

fn lambda(cycles_momentum: bool) -> String {
    let mut text = "for group in optimizer.param_groups:\n    group[\"lr\"] = 1.0  # LambdaLR \
                    multiplies it by rate(t)\nscheduler = \
                    torch.optim.lr_scheduler.LambdaLR(optimizer, rate)\n\n"
        .to_owned();
    if cycles_momentum {
        text += "\ndef set_momentum(t):\n    for group in optimizer.param_groups:\n        if \
                 \"betas\" in group:\n            group[\"betas\"] = (momentum(t), \
                 *group[\"betas\"][1:])\n        else:\n            group[\"momentum\"] = \
                 momentum(t)\n\n\nset_momentum(0)\n\n";
    }
    text += "# In the loop, for each batch:\n#     optimizer.step()\n#     scheduler.step()\n";
    if cycles_momentum {
        text += "#     set_momentum(scheduler.last_epoch)\n";
    }
    text
}

/// Keras counts steps in tensors of whichever backend, so a table of the rates stands between.
fn table(steps: u64, cycles_momentum: bool) -> String {
    let momentum = if cycles_momentum {
        "# The momentum is not cycled: optimizers of Keras keep theirs.\n"
    } else {
        ""
    };
    format!(
        "class Schedule(keras.optimizers.schedules.LearningRateSchedule):\n    def __init__(self, \
         steps={steps}):\n        self.steps = steps\n        self.rates = \
         keras.ops.convert_to_tensor([rate(t) for t in range(steps)], \"float32\")\n\n    def \
         __call__(self, step):\n        at = keras.ops.minimum(keras.ops.cast(step, \"int32\"), \
         self.steps - 1)\n        return keras.ops.take(self.rates, at)\n\n    def \
         get_config(self):\n        return {{\"steps\": self.steps}}\n\n\nlearning_rate = \
         Schedule()  # the optimizer's argument; after {steps} steps the last rate holds\n{momentum}"
    )
}
