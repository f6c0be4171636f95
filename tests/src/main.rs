//! The binary, for scenarios that need a process of their own to kill.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::main()
}
