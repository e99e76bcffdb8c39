//! How much memory bodies may hold when nothing is set.

use std::fs;

const BUDGET_BYTES_MIN: u64 = 64 << 20;
const BUDGET_BYTES_MAX: u64 = 2 << 30;

/// An eighth of what the process may use: the machine's memory, or its group's limit where that is lower.
pub(crate) fn budget_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    let group =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    budget(machine.into_iter().chain(group).min())
}

fn budget(usable_bytes: Option<u64>) -> u64 {
    usable_bytes.map_or(BUDGET_BYTES_MIN, |bytes| (bytes / 8).clamp(BUDGET_BYTES_MIN, BUDGET_BYTES_MAX))
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_an_eighth_within_bounds() {
        assert_eq!(total_bytes("MemTotal:       16384 kB\nMemFree: 1 kB"), Some(16 << 20));
        assert_eq!(total_bytes("MemFree: 1 kB"), None);
        assert_eq!(budget(None), 64 << 20);
        assert_eq!(budget(Some(256 << 20)), 64 << 20);
        assert_eq!(budget(Some(8 << 30)), 1 << 30);
        assert_eq!(budget(Some(512 << 30)), 2 << 30);
    }
}
