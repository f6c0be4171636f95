//! Running programs, and saying which.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs `program` in the workspace root and fails if it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    run_in(&mut Command::new(program), arguments)
}

/// Runs a prepared command with `arguments`; its folder is the workspace root unless set.
pub(crate) fn run_in(command: &mut Command, arguments: &[&str]) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    println!("+ {program} {}", arguments.join(" "));
    if command.get_current_dir().is_none() {
        command.current_dir(crate::root());
    }
    let status = command
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// What a program prints, or `None` when it is not there or fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of that name is on the PATH or in the system folders.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}
