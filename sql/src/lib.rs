//! SQL over Tarn's tables, reports and state: read-only, bounded, in process.
