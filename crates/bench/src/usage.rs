//! What this process has used, from Linux's procfs.

use std::fs;

use anyhow::Context;

/// Forgets the peak so far.
///
/// # Errors
/// There is no procfs.
pub fn forget_peak() -> anyhow::Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of memory")
}

/// Returns the resident set now and its peak since [`forget_peak`], in MiB.
///
/// # Errors
/// There is no procfs.
pub fn resident_and_peak() -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mebibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes =
            line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kibibytes
            .map(|k| k / 1024.0)
            .with_context(|| format!("no {name} in /proc/self/status"))
    };
    Ok((mebibytes("VmRSS:")?, mebibytes("VmHWM:")?))
}

/// Returns the seconds that this process's threads have spent on a processor, whoever else used it.
///
/// # Errors
/// There is no procfs.
pub fn cpu_seconds() -> anyhow::Result<f64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let on_cpu = text.split(' ').next().context("an empty schedstat")?;
        nanoseconds += on_cpu.parse::<u64>()?;
    }
    Ok(nanoseconds as f64 * 1e-9)
}
