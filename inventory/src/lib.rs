//! Inventory, batch and maintenance jobs of Tarn. Not there yet: this crate holds no code.
