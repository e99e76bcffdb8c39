//! The scale of values: from where to where, and which of them are marked.

use super::super::Unit;

/// Values between two ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// The marked values, rising.
    pub(super) ticks: Vec<f64>,
    unit: Unit,
}

/// About how many values are marked.
const TICKS: f64 = 5.0;

impl Scale {
    /// Of these values and zero.
    pub(super) fn over(values: impl Iterator<Item = f64>, unit: Unit) -> Self {
        let (low, high) =
            values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low == high { (0.0, unit.least()) } else { (low, high) };
        let step = unit.round_step((high - low) / TICKS);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let ticks: Vec<f64> = (first as i64..=last as i64).map(|at| at as f64 * step).collect();
        Self { low: first * step, high: last * step, ticks, unit }
    }

    /// How far between the ends, 0 to 1.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// A marked value as it is told.
    pub(super) fn label(&self, tick: f64) -> String {
        self.unit.tell(tick)
    }
}

impl Unit {
    /// What a scale without values reaches to.
    fn least(self) -> f64 {
        match self {
            Self::Bytes => 1024.0,
            Self::Count | Self::Text | Self::Time => 1.0,
        }
    }

    /// A step between marked values that people read easily, no smaller than this one: of bytes a power of two, else 1, 2
    /// or 5 of a power of ten. There is no half of an object, nor of a byte.
    fn round_step(self, least: f64) -> f64 {
        let step = match self {
            Self::Bytes => 2.0_f64.powf(least.log2().ceil()),
            Self::Count | Self::Text | Self::Time => {
                let power = 10.0_f64.powf(least.log10().floor());
                let steps = [1.0, 2.0, 5.0].map(|digit| digit * power);
                steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
            }
        };
        step.max(1.0)
    }
}
