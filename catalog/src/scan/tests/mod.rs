//! Planning tested against rows.
