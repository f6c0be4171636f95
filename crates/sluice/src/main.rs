//! `sluice`; see `sluice --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::main()
}
