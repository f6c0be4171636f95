//! The manual of the command line is what `--help` says.

use std::{fmt::Write as _, path::Path};

use crate::program::{finish, golden, sluice};

/// How wide the manual is.
const WIDTH: usize = 100;

#[test]
fn the_manual_is_up_to_date() {
    let mut command = sluice::command().term_width(WIDTH);
    command.build();
    let mut text = String::from(
        "# Command line\n\nGenerated from the program; `UPDATE_GOLDEN=1 cargo test -p sluice` \
         writes it anew.\n\nExit codes: 0 done; 1 failed, or not ready with `--until`; 2 wrong \
         usage; 130 and 143 when `--until`\nor the demo was ended by SIGINT or SIGTERM. `sluice \
         up` and `sluice run` end with 0 then.\n",
    );
    section(&mut text, &mut command, "sluice");
    for verb in command.get_subcommands_mut() {
        let name = format!("sluice {}", verb.get_name());
        section(&mut text, verb, &name);
        for verb in verb.get_subcommands_mut() {
            section(&mut text, verb, &format!("{name} {}", verb.get_name()));
        }
    }
    golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md"), &text);
}

fn section(text: &mut String, command: &mut clap::Command, name: &str) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim()).unwrap();
}

#[test]
fn every_verb_explains_itself() {
    for verb in sluice::command().get_subcommands() {
        let name = verb.get_name();
        let help = finish(sluice(&[name, "--help"]));
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{name}");
        assert!(help.stdout.contains(&format!("Usage: sluice {name}")), "{}", help.stdout);
    }
}
