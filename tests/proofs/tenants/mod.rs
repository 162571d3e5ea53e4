//! Layers and losses that are to come, as stubs: each says what it needs through the contracts of `layer`
//! and `loss`. A layer's plan is validated, bound and realised on a device that runs nothing; what computes
//! something there is proved elsewhere. A stub goes when the real one moves in.

mod layers;
mod nested;
mod shares;
mod tied;

use std::sync::Arc;

use wavetrain::Result;
use wavetrain::gpu::{Class, Gpu};
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Workshop;
use wavetrain::kernel::{Builder, Element, Mode, Plan};
use wavetrain::layer::{Chain, Inventory, Layer, Node};
use wavetrain::shape::Shape;

/// Layers at their places.
struct Net {
    nodes: Vec<Node>,
    inventory: Inventory,
}

impl Net {
    fn new(layers: &[Box<dyn Layer>], input: Shape) -> Self {
        let mut nodes = Node::fit_all(layers, &input).unwrap();
        Self {
            inventory: Inventory::new(&mut nodes, 0).unwrap(),
            nodes,
        }
    }

    /// Names of everything that is trained.
    fn parameters(&self) -> Vec<&str> {
        let all = self.inventory.parameters.iter();
        all.map(|parameter| parameter.name.as_str()).collect()
    }

    /// The plan of a step with a made-up gradient of the output, for inputs of `element`.
    fn plan(&self, gpu: &Gpu, mode: Mode, element: Element) -> Plan {
        let mut b = Builder::new(gpu.target(), mode, 6);
        let bytes = 4 * self.inventory.floats as u64;
        b.shared(Key::Parameters, bytes);
        b.shared(Key::Gradients, bytes);
        let mut x = b.shaped("x", &self.nodes[0].input);
        x.element = element;
        b.keep(x, Key::Kept("x"));
        let chain = Chain {
            nodes: &self.nodes,
            inventory: &self.inventory,
        };
        let trace = chain.forward(&mut b, x).unwrap();
        b.keep(trace.output(), Key::Kept("y"));
        if mode == Mode::Train {
            b.set_phase(Phase::Backward);
            let dy = b.like("dy", trace.output());
            b.keep(dy, Key::Kept("dy"));
            assert_eq!(chain.backward(&mut b, &trace, dy, false).unwrap(), None);
            b.add_twins().unwrap();
        }
        b.finish()
    }

    /// Plans training and evaluation in every class, and realises them: every binding is checked
    /// against its shader by name, access and element.
    fn realize(&self, element: Element) -> Plan {
        self.try_realize(element).unwrap()
    }

    fn try_realize(&self, element: Element) -> Result<Plan> {
        let mut plans = Vec::new();
        let lanes = |subgroups| Class::Lanes {
            lanes: 8,
            subgroups,
        };
        for class in [Class::Tiled, lanes(true), lanes(false)] {
            let gpu = Arc::new(Gpu::noop(class).unwrap());
            let mut workshop = Workshop::new(Arc::clone(&gpu), 4);
            for mode in [Mode::Evaluate, Mode::Train] {
                let plan = self.plan(&gpu, mode, element);
                workshop.realize(&plan)?;
                plans.push(plan);
            }
        }
        Ok(plans.swap_remove(1))
    }
}

fn sequence(steps: usize, features: usize) -> Shape {
    Shape::Sequence { steps, features }
}
